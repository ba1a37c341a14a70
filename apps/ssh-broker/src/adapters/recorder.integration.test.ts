import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { beforeEach, expect, test } from 'vitest';
import { Recorder } from './recorder.ts';

const GRANT = { sessionId: 's1', user: 'support', by: 'ada' };
const AT = Date.UTC(2026, 0, 1);

let folder: string;
let logs: string;
let recordings: string;
let recorder: Recorder;
beforeEach(() => {
  folder = temporaryFolder();
  recordings = join(folder, 'recordings');
  mkdirSync(recordings);
  const bounds = { maxBytes: 10_000, keep: 4, keepOfSession: 2 };
  recorder = new Recorder({ folder: recordings, owner: undefined, ...bounds });
  ({ folder: logs } = recorder.prepare(folder));
});
function recorded(name: string, { output = 'Script started\nhello', timing = '0.5 5\n' } = {}): void {
  writeFileSync(join(logs, `${name}.out`), output);
  writeFileSync(join(logs, `${name}.timing`), timing);
}
const headerOf = (name: string) =>
  JSON.parse(readFileSync(join(recordings, name), 'utf8').split('\n')[0] ?? '') as object;

test('when a terminal was recorded, its size and the moment at which it was opened are kept with it', async () => {
  recorded('10');
  writeFileSync(join(logs, '10.size'), '50 132\n');
  utimesSync(join(logs, '10.size'), AT / 1000, AT / 1000);
  const { kept } = await recorder.collect(GRANT, folder, AT + 60_000);
  expect(kept).toMatchObject([{ file: join(recordings, 's1-10.cast') }]);
  expect(headerOf('s1-10.cast')).toMatchObject({ width: 132, height: 50, timestamp: AT / 1000 });
});

test('when the user puts files of his own there, they push out no recording of another session', async () => {
  for (const name of ['s0-1.cast', 's0-2.cast']) writeFileSync(join(recordings, name), 'earlier');
  for (let n = 1; n <= 40; n += 1) recorded(String(n));
  const { kept, left } = await recorder.collect(GRANT, folder, AT);
  expect({ kept: kept.length, left }).toEqual({ kept: 2, left: 38 });
  expect(readdirSync(recordings)).toHaveLength(4);
  expect(readdirSync(recordings)).toEqual(expect.arrayContaining(['s0-1.cast', 's0-2.cast']));
});

test('when what is there is a link, a pipe or too large, it is not read', async () => {
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'Script started\nhello');
  recorded('1');
  execFileSync('rm', [join(logs, '1.out')]);
  symlinkSync(secret, join(logs, '1.out'));
  recorded('2', { output: 'x'.repeat(20_000) });
  expect(await recorder.collect(GRANT, folder, AT)).toEqual({ kept: [], left: 0 });
  for (const name of ['1.out', '1.timing', '2.out']) execFileSync('rm', [join(logs, name)]);
  execFileSync('mkfifo', [join(logs, '3.out')]);
  writeFileSync(join(logs, '3.timing'), '0.5 5\n');
  expect(await recorder.collect(GRANT, folder, AT)).toEqual({ kept: [], left: 0 });
});

test('when the user writes as many lines as have room, the recording is cut, and others get their turns meanwhile', async () => {
  const bounds = { maxBytes: 4_000_000, keep: 4, keepOfSession: 2 };
  recorder = new Recorder({ folder: recordings, owner: undefined, ...bounds });
  recorded('1', { output: `Script started\n${'x'.repeat(1_000_000)}`, timing: '0 1\n'.repeat(1_000_000) });
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  const { kept } = await recorder.collect(GRANT, folder, AT);
  clearInterval(timer);
  expect(kept).toMatchObject([{ cut: true }]);
  expect(kept[0]?.bytes).toBeLessThanOrEqual(8_000_000);
  expect(statSync(join(recordings, 's1-1.cast')).size).toBe(kept[0]?.bytes);
  expect(turns).toBeGreaterThan(20);
  expect(readdirSync(recordings)).toEqual(['s1-1.cast']);
});

test('when it is a second name of a file elsewhere, it is not read', async () => {
  recorded('1');
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'Script started\nhello');
  execFileSync('ln', ['-f', secret, join(logs, '1.out')]);
  expect(await recorder.collect(GRANT, folder, AT)).toEqual({ kept: [], left: 0 });
});
