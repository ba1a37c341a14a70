import { existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { UpdateOfStatus } from '@bowline/messages/update-status';
import { readFileIfPresent, readJsonIfPresent } from '@bowline/runtime';
import { v7 as newId } from 'uuid';
import { paint, print, printJson } from '../adapters/terminal.ts';
import { readStatus, stateDirOf, writeForUpdater } from '../adapters/updater-state.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { duration } from '../core/format.ts';
import { writtenLast } from '../core/order-progress.ts';
import { isOver, updateLine } from '../core/update-line.ts';
import type { Context } from './context.ts';

/** The updater's answer to a bundle (apps/ota-updater, bundle-requests.ts). */
type Answer = { orderId: string } | { error: { code: string; message: string } };

const POLL_MS = 200;
/** A big bundle is read through once before it is answered. */
const ANSWER_WITHIN_MS = 120_000;

/**
 * `bowline update apply BUNDLE`: installs a release from a file, by the signed order in it or beside it, and follows that to
 * its end.
 *
 * @returns the exit code.
 */
export async function applyBundle(
  context: Context,
  bundle: string,
  { order, timeoutMs }: { order?: string; timeoutMs: number },
): Promise<number> {
  const folder = stateDirOf(context);
  readStatus(folder); // it runs, and we may use its folder
  const file = resolve(bundle);
  if (!existsSync(file)) throw unreadable(file);
  const given = order === undefined ? {} : { order: readOrder(order) };
  const request = join(folder, 'bundles', newId());
  writeForUpdater(`${request}.json`, JSON.stringify({ file, ...given }));
  const { orderId } = await answerTo(request, context.signal);
  const end = await follow(context, folder, orderId, timeoutMs);
  if (context.json) printJson(end);
  else if (end.preview !== undefined) print(JSON.stringify(end.preview, null, 2));
  if (end.phase === 'cancelled') return EXIT.orderCancelled;
  return end.failure === undefined ? EXIT.ok : EXIT.orderFailed;
}

async function answerTo(request: string, signal: AbortSignal): Promise<{ orderId: string }> {
  const until = performance.now() + ANSWER_WITHIN_MS;
  const file = `${request}.answer`;
  for (;;) {
    const answer = readJsonIfPresent(file) as Answer | undefined;
    if (answer === undefined) {
      if (performance.now() > until)
        throw new CliError('updater-away', 'The updater has not answered.', {
          exitCode: EXIT.deviceAway,
          advice: 'It looks at the bundle once it runs: bowline status',
        });
      await sleep(POLL_MS, undefined, { signal });
      continue;
    }
    rmSync(file, { force: true });
    if ('orderId' in answer) return answer;
    const { code, message } = answer.error;
    throw new CliError(code, `The device does not take it: ${message}`, {
      exitCode: EXIT.orderRejected,
      advice: '',
    });
  }
}

async function follow(
  { json, signal }: Context,
  folder: string,
  orderId: string,
  timeoutMs: number,
): Promise<UpdateOfStatus> {
  const until = performance.now() + timeoutMs;
  let shown = '';
  for (;;) {
    const { updates, progress } = readStatus(folder);
    const update = updates.find((each) => each.orderId === orderId);
    if (update !== undefined) {
      const line = updateLine(update, progress[orderId]);
      if (!json && line !== shown)
        print(isOver(update) && update.failure !== undefined ? paint('red', line) : line);
      shown = line;
      if (isOver(update)) {
        if (!json) writtenLast(update.failure?.log ?? []).forEach(print);
        return update;
      }
    }
    if (performance.now() > until)
      throw new CliError('order-unfinished', `The update is not over after ${duration(timeoutMs)}.`, {
        exitCode: EXIT.orderUnfinished,
        advice: 'It goes on without us: bowline update status',
        details: { orderId },
      });
    await sleep(POLL_MS, undefined, { signal });
  }
}

function readOrder(file: string): string {
  const text = readFileIfPresent(file);
  if (text === undefined) throw unreadable(file);
  return text.trim();
}

const unreadable = (file: string) =>
  new CliError('file-unreadable', `${file} cannot be read.`, { exitCode: EXIT.usage, advice: '' });
