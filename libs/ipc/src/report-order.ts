import type { HubRequests } from '@bowline/messages/hub';
import { retry, type Clock } from '@bowline/runtime';
import type { HubClient } from './client.ts';

/** Twice the store's commit deadline: without an answer by then the gateway hangs. */
const DEADLINE_MS = 60_000;
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
  report: HubRequests['reportOrder']['request'],
  signal: AbortSignal,
): Promise<void> {
  const { error, ...rest } = report;
  const message = error?.message.slice(0, MESSAGE_CHARS) ?? '';
  const body = error === undefined ? rest : { ...rest, error: { code: error.code, message } };
  await retry(() => client.request('reportOrder', body, { deadlineMs: DEADLINE_MS, signal }), {
    clock,
    signal,
    backoff: { minMs: 20, baseMs: 100, capMs: 2000 },
  });
}
