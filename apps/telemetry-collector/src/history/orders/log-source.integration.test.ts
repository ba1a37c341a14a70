import { writeFileSync } from 'node:fs';
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

  test('when there is no such log, or it names a path, it is refused with those that there are', async () => {
    for (const app of ['nothing', '../a', undefined]) {
      await expect(read({ app })).rejects.toMatchObject({
        code: 'no-such-log',
        message: expect.stringContaining('a, a.stderr, b'),
      });
    }
  });
});
