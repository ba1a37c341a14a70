import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { temporaryFolder } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { BEGINNING } from './item.ts';
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
async function read(request: object, cursor = BEGINNING) {
  const source = logSource(logs(), { kind: 'logs', app: 'a', from: AT, to: AT + 3_600_000, ...request });
  const found: unknown[] = [];
  for await (const { text } of source.items(cursor, signal)) found.push(JSON.parse(text));
  return {
    found,
    numbers: found.map((each) => (each as { n?: number }).n),
    estimate: await source.estimate(signal),
  };
}
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

  test('when it goes on behind a line, the rest comes', async () => {
    expect((await read({}, { group: 0, at: AT + 12_000, skip: 1 })).numbers.slice(0, 3)).toEqual([
      13, 14, 15,
    ]);
    expect((await read({}, { group: 0, at: AT + 39_000, skip: 2 })).numbers).toEqual([40]);
  });

  test('when one line has a time that is yet to come, or a clock was put back, the lines behind it come all the same', async () => {
    const folder = temporaryFolder();
    const future = `${JSON.stringify({ time: '2099-01-01T00:00:00.000Z', n: 99 })}\n  at its stack\n`;
    writeFileSync(join(folder, 'a.log'), `${line(1)}\n${future}${line(3)}\n${line(2)}\nodd\n${line(4)}\n`);
    const request = { kind: 'logs', app: 'a', from: AT, to: AT + 3_600_000 } as const;
    const found: { at: number; text: string }[] = [];
    for await (const item of logSource(folder, request).items(BEGINNING, signal)) found.push(item);
    const expected = [line(1), line(3), line(2), '"odd"', line(4)];
    expect(found.map(({ text }) => text)).toEqual(expected);
    expect(found.map(({ at }) => (at - AT) / 1000)).toEqual([1, 3, 3, 3, 4]);
    const rest: string[] = [];
    const behindTwo = { group: 0, at: AT + 3000, skip: 2 };
    for await (const { text } of logSource(folder, request).items(behindTwo, signal)) rest.push(text);
    expect(rest).toEqual(expected.slice(3));
  });

  test('when the files are rotated while they are read, every line comes once', async () => {
    const folder = logs();
    const numbers: unknown[] = [];
    const request = { kind: 'logs', app: 'a', from: AT, to: AT + 3_600_000, filter: 'n' } as const;
    for await (const { text } of logSource(folder, request).items(BEGINNING, signal)) {
      numbers.push((JSON.parse(text) as { n?: number }).n);
      if (numbers.length !== 1) continue;
      rmSync(join(folder, 'a.log.10.gz'));
      renameSync(join(folder, 'a.log.2.gz'), join(folder, 'a.log.3.gz'));
      renameSync(join(folder, 'a.log.1'), join(folder, 'a.log.2'));
      renameSync(join(folder, 'a.log'), join(folder, 'a.log.1'));
      writeFileSync(join(folder, 'a.log'), lines(41, 42));
    }
    expect(numbers).toEqual([...upTo(0, 40), undefined, 40]);
  });

  test('when a packed file is torn off, that is said in its place, and the others come', async () => {
    const folder = logs();
    const packed = gzipSync(lines(10, 20));
    writeFileSync(join(folder, 'a.log.2.gz'), packed.subarray(0, packed.length - 12));
    const request = { kind: 'logs', app: 'a', from: AT, to: AT + 3_600_000, filter: 'ticked' } as const;
    const source = logSource(folder, request);
    const found: string[] = [];
    for await (const { text } of source.items(BEGINNING, signal)) found.push(text);
    expect(found.filter((text) => text.includes('cannot be read further'))).toHaveLength(1);
    expect(found.slice(0, 10)).toEqual(upTo(0, 10).map((n) => line(n)));
    expect(found.slice(-20)).toEqual(upTo(20, 40).map((n) => line(n)));
    expect((await source.estimate(signal)).items).toBe(found.length);
  });

  test('when a log is one endless line, no more than its beginning is held', async () => {
    const folder = temporaryFolder();
    const endless = `{"time":"${new Date(AT).toISOString()}","message":"${'x'.repeat(100 * 2 ** 20)}`;
    writeFileSync(join(folder, 'a.log'), `${endless}\n${line(1)}\n`);
    const request = { kind: 'logs', app: 'a', from: AT, to: AT + 3_600_000 } as const;
    const before = process.memoryUsage().heapUsed;
    let most = 0;
    const sampling = setInterval(() => (most = Math.max(most, process.memoryUsage().heapUsed)), 1);
    const found: string[] = [];
    for await (const { text } of logSource(folder, request).items(BEGINNING, signal)) found.push(text);
    expect(found.map((text) => text.length < 20_000)).toEqual([true, true]);
    expect(found[1]).toBe(line(1));
    clearInterval(sampling);
    expect(most - before).toBeLessThan(40 * 2 ** 20);
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
