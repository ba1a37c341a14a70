import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HistoryAnswer } from '@bowline/messages';
import { findDevice, type OperatorsApi } from '../adapters/operators-api.ts';
import { paint, print, printJson, table } from '../adapters/terminal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { dayAndTime, duration } from '../core/format.ts';
import { exitCodeOf, whyNot } from '../core/order-progress.ts';
import type { Context } from './context.ts';
import { follow } from './follow-order.ts';
import { warnIfWaiting } from './warn-if-waiting.ts';

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
  warnIfWaiting(device, say);
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
    if (answer.complete) return deliver(answer, { json, output, again: getAgain(order.orderId) });
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
  return deliver(await api.historyAnswer(orderId), { json, output, again: getAgain(orderId) });
}

/** `bowline fleet history uploads DEVICE`: what it has sent of its logs by itself. */
export async function listUploads({ json }: Context, api: OperatorsApi, deviceId: string): Promise<number> {
  const uploads = await api.uploads(deviceId);
  if (json) printJson({ uploads });
  else if (uploads.length === 0) print(`${deviceId} has uploaded no logs (history.uploads).`);
  else {
    const rows = uploads.map(({ uploadId, job, kind, app = '', from, to, parts, complete }) => [
      uploadId,
      job,
      `${kind} ${app}`.trim(),
      dayAndTime(from),
      dayAndTime(to),
      complete ? String(parts) : `${parts}, more may come`,
    ]);
    print(table(['upload', 'job', 'what', 'from', 'to', 'parts'], rows));
  }
  return EXIT.ok;
}

/** `bowline fleet history uploads DEVICE UPLOAD`: one of them, as {@link getHistory}. */
export async function getUpload(
  { json }: Context,
  api: OperatorsApi,
  { deviceId, uploadId }: { deviceId: string; uploadId: string },
  output: string | undefined,
): Promise<number> {
  const again = `bowline fleet history uploads ${deviceId} ${uploadId}`;
  return deliver(await api.upload(deviceId, uploadId), { json, output, again });
}

/** A file has one item a line (NDJSON). @param again how it is asked for once more */
function deliver(
  answer: Pick<HistoryAnswer, 'complete' | 'parts' | 'missing' | 'items'>,
  { json, output, again }: { json: boolean; output: string | undefined; again: string },
): number {
  const { complete, parts, missing, items } = answer;
  const text = items.map((item) => `${JSON.stringify(item)}\n`).join('');
  if (output !== undefined) writeFileSync(output, text, { mode: 0o600 });
  if (json) printJson(output === undefined ? answer : { ...answer, items: undefined, output });
  else if (output === undefined) process.stdout.write(text);
  else print(`${parts} parts, ${items.length} items → ${output}`);
  if (complete) return EXIT.ok;
  throw new CliError('history-incomplete', `The answer is not whole: ${parts} parts are here.`, {
    exitCode: EXIT.orderUnfinished,
    advice:
      missing.length === 0
        ? `More may come: ${again}.`
        : `Parts ${missing.slice(0, 5).join(', ')} have not come or are no longer kept: ask again.`,
  });
}

const getAgain = (orderId: string): string => `bowline fleet history get ${orderId}`;

const unfinished = (orderId: string, what: string, timeoutMs: number) =>
  new CliError('order-unfinished', `The order ${what} after ${duration(timeoutMs)}.`, {
    exitCode: EXIT.orderUnfinished,
    advice: `It goes on without us: ${getAgain(orderId)}.`,
    details: { orderId },
  });
