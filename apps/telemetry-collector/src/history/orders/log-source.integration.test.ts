import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { startProcess, temporaryFolder, waitFor } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { BEGINNING, behind, type Cursor } from './item.ts';
import { logSource } from './log-source.ts';

const AT = Date.UTC(2026, 10, 25, 12);
const line = (n: number, message = 'ticked') =>
  JSON.stringify({ level: 'info', time: new Date(AT + 1000 * n).toISOString(), app: 'a', message, n });
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `${line(from + index)}\n`).join('');

/** As logrotate leaves them: the newest is not compressed yet. */
function logs(): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'a.log'), `${lines(30, 40)}no JSON at all\n${line(40, 'stopped')}\n`);
  writeFileSync(join(folder, 'a.log.1'), lines(20, 30));
  writeFileSync(join(folder, 'a.log.2.gz'), gzipSync(lines(10, 20)));
  writeFileSync(join(folder, 'a.log.10.gz'), gzipSync(lines(0, 10)));
  writeFileSync(join(folder, 'a.stderr.log'), 'a crash\n');
  writeFileSync(join(folder, 'b.log'), '');
  return folder;
}
const signal = new AbortController().signal;
const sourceOf = (folder: string, request: object = {}) =>
  logSource(folder, { kind: 'logs', app: 'a', from: AT, to: AT + 3_600_000, ...request });
async function readIn(folder: string, request: object = {}, cursor = BEGINNING) {
  const source = sourceOf(folder, request);
  const found: unknown[] = [];
  const cursors = [cursor];
  for await (const item of source.items(cursor, signal)) {
    found.push(JSON.parse(item.text));
    cursors.push(behind(cursors.at(-1) ?? BEGINNING, item));
  }
  return {
    found,
    cursors,
    numbers: found.map((each) => (each as { n?: number }).n),
    estimate: await source.estimate(signal),
  };
}
const read = (request: object) => readIn(logs(), request);
/** As logrotate does it, with as many files as it keeps. */
function rotate(folder: string, keep = 4): void {
  const path = (end: string) => join(folder, `a.log${end}`);
  const second = path('.1');
  if (existsSync(second)) {
    writeFileSync(path('.1.gz'), gzipSync(readFileSync(second)));
    rmSync(second);
  }
  rmSync(path(`.${keep}.gz`), { force: true });
  for (let age = keep - 1; age >= 1; age -= 1)
    if (existsSync(path(`.${age}.gz`))) renameSync(path(`.${age}.gz`), path(`.${age + 1}.gz`));
  renameSync(path(''), second);
}
/** Lines of rising numbers; after two of them the files are rotated and packed. */
const ROTATE = `n=0; while :; do
  for i in 1 2; do echo '{"time":"${new Date(AT).toISOString()}","n":'$n'}' >> a.log; n=$((n + 1)); done
  [ -e a.log.1 ] && gzip a.log.1
  [ -e a.log.2.gz ] && mv a.log.2.gz a.log.3.gz
  [ -e a.log.1.gz ] && mv a.log.1.gz a.log.2.gz
  mv a.log a.log.1
done`;
const upTo = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

describe('logSource', () => {
  test('when all of a log is asked for, its rotated files come first, packed or not, and odd lines as texts', async () => {
    const { found, numbers, estimate } = await read({});
    expect(numbers).toEqual([...upTo(0, 40), undefined, 40]);
    expect(found[40]).toBe('no JSON at all');
    expect(estimate).toMatchObject({ items: 42, bytes: JSON.stringify(found).length + 1 });
  });

  test('when a range is asked for, its first moment belongs to it and its last does not', async () => {
    expect((await read({ from: AT + 15_000, to: AT + 25_000 })).numbers).toEqual(upTo(15, 25));
  });

  test('when there is a filter, only lines with that text come', async () => {
    const { numbers, estimate } = await read({ filter: 'stopped' });
    expect([numbers, estimate.items]).toEqual([[40], 1]);
  });

  test('when it goes on behind any line, the rest comes, also when the files were rotated and packed meanwhile', async () => {
    const folder = logs();
    const { found, cursors } = await readIn(folder);
    const expectRest = async (...rest: string[]) => {
      for (const [index, cursor] of cursors.entries()) {
        // As it is kept over a restart.
        const kept = JSON.parse(JSON.stringify(cursor)) as Cursor;
        expect((await readIn(folder, {}, kept)).found).toEqual([...found.slice(index), ...rest]);
      }
    };
    await expectRest();
    rotate(folder, 20);
    await expectRest();
    writeFileSync(join(folder, 'a.log'), 'a new one\n');
    rotate(folder, 20);
    await expectRest('a new one');
  });

  test('when the line that it was behind is gone, what is no older comes', async () => {
    const folder = logs();
    const { cursors } = await readIn(folder);
    writeFileSync(join(folder, 'a.log'), lines(40, 45));
    // Emptied and written anew, not rotated: those before were read already.
    expect((await readIn(folder, {}, cursors[40])).numbers).toEqual(upTo(40, 45).filter((n) => n >= 39));
    for (const name of ['a.log.1', 'a.log.2.gz', 'a.log.10.gz']) rmSync(join(folder, name));
    expect((await readIn(folder, {}, cursors[15])).numbers).toEqual(upTo(40, 45));
  });

  test('when files begin alike, those behind the line are not left out', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a.log'), 'a crash\n');
    const range = { from: 0, to: Date.now() + 3_600_000 };
    const { cursors } = await readIn(folder, range);
    rotate(folder);
    writeFileSync(join(folder, 'a.log'), 'a crash\n');
    expect((await readIn(folder, range, cursors[1])).found).toEqual(['a crash']);
  });

  test('when a line has not ended, what comes of it later comes too', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a.log'), `${line(0)}\nhalf a li`);
    const { found, cursors } = await readIn(folder);
    expect(found[1]).toBe('half a li');
    appendFileSync(join(folder, 'a.log'), `ne\n${line(1)}\n`);
    expect((await readIn(folder, {}, cursors[2])).found).toEqual(['ne', expect.objectContaining({ n: 1 })]);
  });

  test('when the clock was wrong once, or a line quotes another time, those after it are not hidden', async () => {
    const folder = temporaryFolder();
    const ahead = line(1).replace('2026', '2099');
    const quoting = JSON.stringify({ of: { time: '2099-01-01T00:00:00.000Z' }, n: 2 });
    writeFileSync(
      join(folder, 'a.log'),
      `${line(0)}\n${ahead}\nof the same moment\n${line(1)}\n${quoting}\n"time":"2099-01-01T00:00:00.000Z"\n${lines(3, 5)}`,
    );
    expect((await readIn(folder)).numbers).toEqual([0, 1, 2, undefined, 3, 4]);
    const later = Date.UTC(2099, 0, 1);
    expect((await readIn(folder, { from: later, to: 2 * later })).numbers).toEqual([1, undefined]);
    // Behind the wrong one, whatever its time.
    const { cursors } = await readIn(folder, { from: 0, to: 2 * later });
    expect((await readIn(folder, {}, cursors[2])).numbers).toEqual([1, 2, undefined, 3, 4]);
  });

  test('when lines have no time at all, they have that of their file', async () => {
    const folder = logs();
    utimesSync(join(folder, 'a.stderr.log'), AT / 1000 + 60, AT / 1000 + 60);
    const of = async (from: number, to: number) =>
      (await readIn(folder, { app: 'a.stderr', from, to })).found;
    expect(await of(AT, AT + 61_000)).toEqual(['a crash']);
    expect(await of(AT, AT + 60_000)).toEqual([]);
  });

  test('when it is rotated while it is read, nothing is left out and nothing comes twice', async () => {
    const folder = logs();
    const items = sourceOf(folder).items(BEGINNING, signal);
    const numbers: (number | undefined)[] = [];
    for await (const { text } of items) {
      numbers.push((JSON.parse(text) as { n?: number }).n);
      if (numbers.length % 10 === 1) {
        rotate(folder, 3);
        writeFileSync(join(folder, 'a.log'), lines(50, 60));
      }
    }
    expect(numbers).toEqual([...upTo(0, 40), undefined, 40]);
  });

  test('when it is rotated over and over by another process, each reading is without a hole', async () => {
    const folder = temporaryFolder();
    const rotating = startProcess('sh', ['-c', ROTATE], { cwd: folder, env: { PATH: process.env['PATH'] } });
    await waitFor(() => existsSync(join(folder, 'a.log.3.gz')));
    for (let reading = 0; reading < 60; reading += 1) {
      const { numbers } = await readIn(folder);
      const [first = 0] = numbers;
      expect(numbers).toEqual(upTo(first, first + numbers.length));
    }
    await rotating.kill();
  });

  test('when a file is being packed or renamed, it is there once, and the log is known without its newest', async () => {
    const folder = logs();
    writeFileSync(join(folder, 'a.log.1.gz'), gzipSync(lines(20, 30)).subarray(0, 40));
    expect((await readIn(folder)).numbers).toEqual([...upTo(0, 40), undefined, 40]);
    rmSync(join(folder, 'a.log'));
    expect((await readIn(folder)).numbers).toEqual(upTo(0, 30));
  });

  test.each([
    ['ends too early', (packed: Buffer) => packed.subarray(0, packed.length - 12), true],
    ['is no gzip at all', () => Buffer.from('nonsense'), false],
  ])('when a packed file %s, the others come, and a text in place of it, once', async (_, spoil, hasSome) => {
    const folder = logs();
    writeFileSync(join(folder, 'a.log.2.gz'), spoil(gzipSync(lines(10, 20))));
    const { found, numbers, cursors, estimate } = await readIn(folder);
    const note = found.findIndex((each) => String(each).startsWith('a.log.2.gz cannot be read any further'));
    expect(numbers.slice(0, note)).toEqual(upTo(0, hasSome ? note : 10));
    expect(numbers.slice(note)).toEqual([undefined, ...upTo(20, 40), undefined, 40]);
    expect(estimate.items).toBe(found.length);
    for (const [index, cursor] of cursors.entries())
      expect((await readIn(folder, {}, cursor)).found).toEqual(found.slice(index));
  });

  test('when a text has line separators of Unicode, it is one line all the same; empty ones are none', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a.log'), `${line(0, 'a\u2028b\u2029c\u0085d')}\n\n\r\n  indented\r\n`);
    expect((await readIn(folder)).found).toMatchObject([{ message: 'a\u2028b\u2029c\u0085d' }, '  indented']);
  });

  test('when it is far more than may be asked for, nobody counts to the end', async () => {
    const { bytes, items, isMore } = await sourceOf(logs()).estimate(signal, 500);
    expect([isMore, items < 10, bytes > 500]).toEqual([true, true, true]);
  });

  test('when there is no such log, or it names a path, it is refused with those that there are', async () => {
    for (const app of ['nothing', '../a', undefined]) {
      await expect(read({ app })).rejects.toMatchObject({
        code: 'no-such-log',
        message: expect.stringContaining('a, a.stderr, b'),
      });
    }
  });
});
