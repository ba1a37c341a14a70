import type { DeadLetter, DurableQueue } from '@bowline/durable-queue';
import type { Hub } from '@bowline/ipc';
import { RejectedError } from '@bowline/runtime/errors';
import { mustBeCli } from './cli-only.ts';

/** More than the store ever keeps. */
const ALL = Number.MAX_SAFE_INTEGER;
/** As the store cuts it now; older ones hold longer details, too many for one answer. */
const MOST_DETAIL_CHARS = 256;

/**
 * What an operator at the device may do with messages that were rejected for good: look, send again, forget. By the CLI's
 * socket only: an app must not undo or hide what the server refused.
 *
 * @param stored something is in the outbox that was not there before.
 */
export function serveDeadLetters(
  hub: Pick<Hub, 'handle'>,
  queue: Pick<DurableQueue, 'deadLetters' | 'commit'>,
  stored: () => void,
): void {
  /** Those of `numbers` that there are. */
  const existing = (numbers: readonly number[]) => {
    const known = new Set(queue.deadLetters(ALL).map(({ number }) => number));
    return [...new Set(numbers)].filter((number) => known.has(number));
  };

  hub.handle('deadLetters', (_, peer) => {
    mustBeCli(peer);
    return { letters: queue.deadLetters(ALL).map(viewOf) };
  });

  hub.handle('deadLetter', ({ number }, peer) => {
    mustBeCli(peer);
    const letter = queue.deadLetters(ALL).find((candidate) => candidate.number === number);
    if (letter === undefined) {
      throw new RejectedError('unknown-dead-letter', `there is no dead letter ${number}`);
    }
    return { message: JSON.parse(letter.json) as Record<string, unknown> };
  });

  hub.handle('resendDeadLetters', async ({ numbers }, peer) => {
    mustBeCli(peer);
    const resend = existing(numbers);
    if (resend.length > 0) await queue.commit({ deadLetters: { resend } });
    stored();
    return { numbers: resend };
  });

  hub.handle('purgeDeadLetters', async ({ numbers }, peer) => {
    mustBeCli(peer);
    const purge = existing(numbers);
    if (purge.length > 0) await queue.commit({ deadLetters: { purge } });
    return { numbers: purge };
  });
}

function viewOf({ json, detail, ...letter }: DeadLetter) {
  const { type } = JSON.parse(json) as { type: string };
  return { ...letter, detail: detail.slice(0, MOST_DETAIL_CHARS), type, bytes: Buffer.byteLength(json) };
}
