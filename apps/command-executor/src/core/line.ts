import type { Concurrency } from './command.ts';

/** An order in line or running, as far as it matters for who may begin. */
export interface Place {
  name: string;
  concurrency: Concurrency;
}

/**
 * Who of the line may begin now: the first, unless a command of its own name keeps it (`per-name`), then the next. An
 * `exclusive` one begins when nothing runs, and until then nothing overtakes it, so it cannot wait for ever.
 *
 * @returns undefined if none may.
 */
export function nextInLine<P extends Place>(
  waiting: Iterable<P>,
  running: readonly Place[],
  maxConcurrent: number,
): P | undefined {
  if (running.length >= maxConcurrent) return undefined;
  if (running.some(({ concurrency }) => concurrency === 'exclusive')) return undefined;
  for (const place of waiting) {
    if (place.concurrency === 'exclusive') return running.length === 0 ? place : undefined;
    const isKept = place.concurrency === 'per-name' && running.some(({ name }) => name === place.name);
    if (!isKept) return place;
  }
  return undefined;
}
