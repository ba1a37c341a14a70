import { describe, expect, test } from 'vitest';
import { linesOf, timeOf, type LogLine } from './log-lines.ts';

async function* bytes(...texts: (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text));
}
async function all(input: AsyncIterable<Buffer>, offset = 0): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for await (const line of linesOf(input, offset)) lines.push(line);
  return lines;
}

describe('linesOf', () => {
  test('when bytes are cut anywhere, the lines are the same, and each says where the next one begins', async () => {
    const text = Buffer.from('ä\n\r\n  b\r\n\nc');
    const whole = await all(bytes(text), 100);
    expect(whole).toEqual([
      { text: 'ä', end: 103 },
      { text: '  b', end: 110 },
      { text: 'c', end: 112 },
    ]);
    for (let at = 0; at <= text.length; at += 1)
      expect(await all(bytes(text.subarray(0, at), text.subarray(at)), 100)).toEqual(whole);
  });

  test('when a line is longer than memory has room for, its beginning comes, and the next one', async () => {
    const mebibyte = Buffer.alloc(2 ** 20, 'x');
    async function* endless() {
      yield* bytes('begun ');
      for (let count = 0; count < 2000; count += 1) yield mebibyte;
      yield* bytes('\nnext\n');
    }
    const [first, second] = await all(endless());
    expect(first?.text).toMatch(/^begun x{16378}$/);
    expect(second).toEqual({ text: 'next', end: 6 + 2000 * 2 ** 20 + 6 });
  });
});

test.each([
  ['{"level":"info","time":"2026-11-25T12:00:00.000Z"}', Date.UTC(2026, 10, 25, 12)],
  ['{"a":{"time":"2026-11-25T12:00:00.000Z"}}', undefined],
  [String.raw`{"message":"{\"time\":\"2026-11-25T12:00:00.000Z\"}"}`, undefined],
  ['"time":"2026-11-25T12:00:00.000Z"', undefined],
  ['{"time":"long, long ago"}', undefined],
])('when a line is %s, its time is %s', (line, expected) => {
  expect(timeOf(line)).toBe(expected);
});
