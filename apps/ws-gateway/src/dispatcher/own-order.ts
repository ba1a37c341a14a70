import type { JournalEntry } from '@bowline/durable-queue';
import { RejectedError } from '@bowline/runtime/errors';

/**
 * The effect of an order that the gateway carries out itself.
 *
 * @returns what does it, once `started` is on disk; doing it twice changes nothing, so that a crash in its middle is mended
 *   by doing it again.
 * @throws RejectedError: the order is refused by that rule.
 */
export type OwnEffect = (payload: Record<string, unknown>) => Promise<() => void>;

/** Judged, then `started`, then done; `write` resolves when entry and ack are on disk. */
export async function performOwn(
  entry: JournalEntry,
  effect: OwnEffect,
  { write, bootId, now }: { write(entry: JournalEntry): Promise<void>; bootId: string; now(): number },
): Promise<void> {
  let carryOut: () => void;
  try {
    carryOut = await effect(JSON.parse(entry.payloadJson) as Record<string, unknown>);
  } catch (error) {
    if (!(error instanceof RejectedError)) throw error;
    const status = entry.status === 'started' ? 'failed' : 'rejected';
    const { code, message } = error;
    return write({ ...entry, status, endedAt: now(), error: { code, message } });
  }
  const started: JournalEntry = {
    ...entry,
    status: 'started',
    attempt: entry.attempt + 1,
    startedBootId: bootId,
  };
  await write(started);
  carryOut();
  await write({ ...started, status: 'succeeded', endedAt: now() });
}
