import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HistoryAnswer } from '@bowline/messages';
import { findDevice, type OperatorsApi } from '../adapters/operators-api.ts';
import { paint, print, printJson } from '../adapters/terminal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { duration } from '../core/format.ts';
import { exitCodeOf, whyNot } from '../core/order-progress.ts';
import type { Context } from './context.ts';
import { follow } from './follow-order.ts';

const POLL_MS = 250;

export interface HistoryWish {
  /** The payload of the order (protocol, section 5). */
  payload: Record<string, unknown>;
  timeoutMs: number;
  /** Where the answer goes; standard output without it. */
  output: string | undefined;
}

/** `bowline fleet history ask DEVICE`: has a device send what it holds, and fetches the answer. Returns the exit code. */
export async function askHistory(
  { json, signal }: Context,
  api: OperatorsApi,
  deviceId: string,
  { payload, timeoutMs, output }: HistoryWish,
): Promise<number> {
  const startedAt = performance.now();
  const device = await findDevice(api, deviceId);
  const order = await api.giveOrder(deviceId, { type: 'historyRequest', payload });
  // The answer may go to standard output: nothing else does then.
  const say = (line: string) => void (output !== undefined && !json && print(line));
  say(`${paint('bold', 'history')} of ${deviceId}, order ${order.orderId}`);
  if (!device.online) say(paint('yellow', `${deviceId} is offline; the order waits for it.`));
  const end = await follow(api, order, { json: json || output === undefined, signal, timeoutMs });
  const exitCode = exitCodeOf(end);
  if (exitCode === undefined) throw unfinished(order.orderId, `is still ${end.status}`, timeoutMs);
  if (exitCode !== EXIT.ok) {
    if (json) printJson(end);
    else print(paint('red', whyNot(end)));
    return exitCode;
  }
  // Its parts travel behind live data, at a pace.
  for (;;) {
    const answer = await api.historyAnswer(order.orderId);
    if (answer.complete) return deliver(answer, { json, output });
    if (performance.now() - startedAt >= timeoutMs) {
      throw unfinished(order.orderId, `has ${answer.parts} parts here and not all`, timeoutMs);
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** `bowline fleet history get ORDER`: the answer to an order that was given before, as far as it is there. */
export async function getHistory(
  { json }: Context,
  api: OperatorsApi,
  orderId: string,
  output: string | undefined,
): Promise<number> {
  return deliver(await api.historyAnswer(orderId), { json, output });
}

/** A file has one item a line (NDJSON). */
function deliver(
  answer: HistoryAnswer,
  { json, output }: { json: boolean; output: string | undefined },
): number {
  const { complete, parts, missing, items, orderId } = answer;
  const text = items.map((item) => `${JSON.stringify(item)}\n`).join('');
  if (output !== undefined) writeFileSync(output, text, { mode: 0o600 });
  if (json) printJson(output === undefined ? answer : { orderId, complete, parts, missing, output });
  else if (output === undefined) process.stdout.write(text);
  else print(`${parts} parts, ${items.length} items → ${output}`);
  if (complete) return EXIT.ok;
  throw new CliError('history-incomplete', `The answer is not whole: ${parts} parts are here.`, {
    exitCode: EXIT.orderUnfinished,
    advice:
      missing.length === 0
        ? `More may come: bowline fleet history get ${orderId}.`
        : `Parts ${missing.slice(0, 5).join(', ')} have not come or are no longer kept: ask again.`,
  });
}

const unfinished = (orderId: string, what: string, timeoutMs: number) =>
  new CliError('order-unfinished', `The order ${what} after ${duration(timeoutMs)}.`, {
    exitCode: EXIT.orderUnfinished,
    advice: `It goes on without us: bowline fleet history get ${orderId}.`,
    details: { orderId },
  });
