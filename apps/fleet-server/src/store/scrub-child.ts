import { join } from 'node:path';
import { runScrub } from '@bowline/record-store';
import { InternalError } from '@bowline/runtime';
import type { ScrubAnswers, ScrubTask, ScrubTasks } from './scrub.ts';

/** One folder up when Node runs the source; beside the main file of the bundle. */
const SCRIPT = import.meta.filename.endsWith('.ts')
  ? join(import.meta.dirname, '../scrub.ts')
  : join(import.meta.dirname, 'scrub.js');

/** `answer` is absent if the child died, of `death`. */
export interface ChildOutcome<T extends ScrubTask> {
  answer?: ScrubAnswers[T];
  death: string;
}

export async function inChild<T extends ScrubTask>(task: T, facts: ScrubTasks[T]): Promise<ChildOutcome<T>> {
  const { answer, death } = await runScrub(SCRIPT, [task, JSON.stringify(facts)]);
  return answer === undefined ? { death } : { answer: answer as ScrubAnswers[T], death };
}

/** @throws InternalError `store-check-failed` if the child dies. */
export async function mustInChild<T extends ScrubTask>(
  task: T,
  facts: ScrubTasks[T],
): Promise<ScrubAnswers[T]> {
  const { answer, death } = await inChild(task, facts);
  if (answer !== undefined) return answer;
  throw new InternalError('store-check-failed', `the task ${task} of the store's check failed: ${death}`);
}
