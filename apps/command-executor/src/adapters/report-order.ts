import type { HubClient } from '@bowline/ipc';
import { backoffMs, wait, type Clock } from '@bowline/runtime';
import { BowlineError, TransientError } from '@bowline/runtime/errors';
import type { OrderReport } from '../core/run-step.ts';

/** Twice the store's commit deadline: without an answer by then the gateway hangs. */
const DEADLINE_MS = 60_000;
/** Refusals that pass by themselves; the order must not be dropped for them. */
const PASSING = ['disk-full', 'lane-full'];
/** What a message may hold in an ack (libs/messages, Text). */
const MESSAGE_CHARS = 4096;

/**
 * Reports to the gateway until that is durable, through its restarts and a full disk. A repeat is harmless: a terminal
 * state that is on disk already is answered alike, and `started` names its attempt.
 *
 * @throws the gateway's final refusal; CancelledError or the signal's reason when it is given up.
 */
export async function reportOrder(
  client: Pick<HubClient, 'request'>,
  clock: Clock,
  report: OrderReport,
  signal: AbortSignal,
): Promise<void> {
  const { error, ...rest } = report;
  const message = error?.message.slice(0, MESSAGE_CHARS) ?? '';
  const body = error === undefined ? rest : { ...rest, error: { code: error.code, message } };
  for (let attempt = 0; ; attempt += 1) {
    try {
      await client.request('reportOrder', body, { deadlineMs: DEADLINE_MS, signal });
      return;
    } catch (failure) {
      if (!mayPass(failure)) throw failure;
    }
    await wait(clock, backoffMs(attempt, Math.random(), { minMs: 20, baseMs: 100, capMs: 2000 }), signal);
  }
}

const mayPass = (error: unknown): boolean =>
  error instanceof TransientError || (error instanceof BowlineError && PASSING.includes(error.code));
