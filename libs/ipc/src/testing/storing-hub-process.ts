/**
 * A gateway in small, as a process of its own: `node storing-hub-process.ts FOLDER FILE [CRASH_AT before|after]`. It stores
 * each batch as one line of FILE by the rules of the store: a batch not above the highest of its producer is a duplicate,
 * one that comes after another than the highest is refused.
 * At its CRASH_AT-th batch it kills itself before or after the write, so that the answer is lost. It never answers
 * `reportOrder`.
 */
import { appendFileSync } from 'node:fs';
import { readFileIfPresent, systemClock, type Logger } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import { openHub } from '../hub.ts';
import { silentLog } from './messages.ts';

const [folder = '', file = '', crashAt = 'Infinity', crashWhen] = process.argv.slice(2);
const die = () => process.kill(process.pid, 'SIGKILL');
let untilCrash = Number(crashAt);

const highest = new Map<string, number>();
for (const line of (readFileIfPresent(file) ?? '').split('\n').filter(Boolean)) {
  const { producer, batch } = JSON.parse(line) as { producer: string; batch: number };
  highest.set(producer, Math.max(batch, highest.get(producer) ?? 0));
}

const hub = await openHub({ folder, log: silentLog as unknown as Logger, clock: systemClock });
hub.handle('register', () => ({ bootId: 'boot', link: 'offline' }));
hub.handle('reportOrder', () => new Promise(() => {}));
hub.handle('enqueue', ({ producer, batch, after, messages }) => {
  untilCrash -= 1;
  if (untilCrash === 0 && crashWhen === 'before') die();
  const duplicate = batch <= (highest.get(producer) ?? 0);
  if (!duplicate && after !== undefined && after !== highest.get(producer)) {
    throw new RejectedError('out-of-order', `${after} is not stored`);
  }
  const ns = messages.map(({ payload }) => payload['n']);
  appendFileSync(file, `${JSON.stringify({ producer, batch, duplicate, ns })}\n`);
  if (untilCrash === 0) die();
  highest.set(producer, Math.max(batch, highest.get(producer) ?? 0));
  return { accepted: duplicate ? 0 : messages.length, duplicate };
});
process.stdout.write('open\n');
