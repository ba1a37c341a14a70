import { describeErrors } from '@bowline/messages/check';
import { CancelledError, RejectedError } from '@bowline/runtime/errors';
import { described } from '../described-command.ts';
import type { Description } from '../../manifest.ts';
import { defineCommand, type Command, type JsonSchema, type ParamsCheck, type Progress } from '../command.ts';

/** What a program is asked to do. */
export interface RunRequest {
  orderId: string;
  name: string;
  params: Record<string, unknown>;
  attempt: number;
  /** By the monotonic clock, milliseconds. */
  deadlineMs: number;
}

/** What came of it. `gone`: its connection ended first; `silent`: it was told to stop and did not answer. */
export type RunEnd =
  | { kind: 'result'; result: unknown }
  | { kind: 'failure'; message: string }
  | { kind: 'gone' }
  | { kind: 'silent' };

export interface ProgramLink {
  /** Rejects with the signal's reason only when this app stops. */
  run(request: RunRequest, signal: AbortSignal, progress: (progress: Progress) => void): Promise<RunEnd>;
}

export interface ProgramCommandParts {
  description: Description;
  compile(schema: JsonSchema): ParamsCheck;
  isAway(): boolean;
  /** The program, when it is there; undefined if it does not come back in time. Rejects with the signal's reason. */
  present(signal: AbortSignal): Promise<ProgramLink | undefined>;
  /** Times that one order may begin, those of earlier lives of this process included. */
  maxRuns: number;
}

/**
 * A command that a program of the device carries out.
 *
 * @throws Error of ajv: one of its schemas is none.
 */
export function programCommand({
  description,
  compile,
  isAway,
  present,
  maxRuns,
}: ProgramCommandParts): Command {
  const definition = described(description);
  const { name, idempotent } = definition;
  const checkResult = compile(definition.result);
  const command = defineCommand<Record<string, unknown>>(
    {
      ...definition,
      run: async (given, { order, signal, progress, startAgain }) => {
        for (let runs = 0; ; runs += 1) {
          const program = await whenPresent(present, signal, name, runs > 0);
          if (runs > 0) await startAgain();
          const { orderId, attempt, deadlineMs } = order;
          const request = { orderId, name, params: given, attempt: attempt + runs, deadlineMs };
          const end = await program.run(request, signal, progress);
          if (end.kind !== 'gone') return settle(end, signal, name, checkResult);
          if (!idempotent) throw unknown(`the program of ${name} went away while it was at work`);
          if (request.attempt >= maxRuns)
            throw unknown(`the program of ${name} went away: it was begun ${request.attempt} times`);
        }
      },
    },
    compile(definition.params),
    'program',
  );
  return { ...command, isAway };
}

/** @param wasBegun an earlier run was cut off: from then on nobody knows. */
async function whenPresent(
  present: ProgramCommandParts['present'],
  signal: AbortSignal,
  name: string,
  wasBegun: boolean,
): Promise<ProgramLink> {
  let program: ProgramLink | undefined;
  try {
    program = await present(signal);
  } catch (error) {
    if (!wasBegun || (error instanceof CancelledError && error.code === 'stopping')) throw error;
  }
  if (program !== undefined) return program;
  if (wasBegun) throw unknown(`the program of ${name} went away while it was at work and did not come back`);
  throw new RejectedError('program-away', `the program of ${name} is not there; nothing was done`);
}

function settle(
  end: Exclude<RunEnd, { kind: 'gone' }>,
  signal: AbortSignal,
  name: string,
  checkResult: ParamsCheck,
): unknown {
  if (end.kind === 'silent') throw unknown(`the program of ${name} was told to stop and did not answer`);
  // A cancel that found all of it done came too late: what took place is told.
  if (!(isCancelled(signal) && end.kind === 'result' && checkResult(end.result))) signal.throwIfAborted();
  if (end.kind === 'failure') throw new RejectedError('command-failed', end.message);
  if (!checkResult(end.result))
    throw new RejectedError('invalid-result', describeErrors(checkResult.errors, 'result'));
  return end.result;
}

const isCancelled = ({ reason }: AbortSignal): boolean =>
  reason instanceof CancelledError && reason.code === 'cancelled';

const unknown = (what: string): RejectedError =>
  new RejectedError('effect-unknown', `${what}: its effect may have happened, or may yet`);
