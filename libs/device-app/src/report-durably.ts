import type { Event } from '@bowline/messages';
import type { HubClient } from '@bowline/ipc';
import { isDiskFull, onceDurably, retry, wait, type Clock } from '@bowline/runtime';
import { CancelledError } from '@bowline/runtime/errors';
import { v7 as newId } from 'uuid';

const DISK_FULL_MS = 1000;

/**
 * Hands an event to the gateway once for each `key`, across restarts: what was cut off goes again under the same id.
 *
 * A full disk is waited for: nothing else of the app hangs on the report.
 *
 * @param file where key and id are kept.
 * @returns whether it went now; undefined if the app ended before.
 */
export async function reportDurably(
  { file, key, event }: { file: string; key: string; event: (at: number) => Event },
  { client, clock, signal }: { client: Pick<HubClient, 'enqueue'>; clock: Clock; signal: AbortSignal },
): Promise<boolean | undefined> {
  const report = (id: string) => {
    const sentAt = Math.round(clock.wallMs());
    const payload = event(sentAt);
    return retry(() => client.enqueue([{ id, type: 'event', sentAt, payload }], { signal }), {
      clock,
      signal,
    });
  };
  try {
    for (;;) {
      try {
        return await onceDurably(file, key, newId, report);
      } catch (error) {
        if (!isDiskFull(error)) throw error;
      }
      await wait(clock, DISK_FULL_MS, signal);
    }
  } catch (error) {
    if (error instanceof CancelledError) return undefined;
    throw error;
  }
}
