import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeSegment, bytesOf, encodeSegment, rewriteSegment, sizeOf } from './segment.ts';

const items = fc.array(fc.option(fc.string({ unit: 'binary', minLength: 1 }), { nil: undefined }), {
  minLength: 1,
  maxLength: 30,
});
const sizes = (list: readonly (string | undefined)[]) => list.map((item) => Buffer.byteLength(item ?? ''));
const at = { ageMs: 12.5, commit: 7 };
const FIRST = 2 ** 40;

test('when a segment is encoded, every message comes back, holes stay holes, and the counts are true', () => {
  fc.assert(
    fc.property(items, (list) => {
      const { key, record } = encodeSegment('events', FIRST, list, sizes(list), at);
      const segment = decodeSegment(key, record);
      if (segment === undefined) throw new Error('does not decode');
      const back = list.map((_, index) =>
        sizeOf(segment, FIRST + index) === 0 ? undefined : bytesOf(segment, FIRST + index).toString(),
      );
      // What is no Unicode cannot be kept by UTF-8; JSON never has it.
      expect(back).toEqual(list.map((item) => item?.toWellFormed()));
      const there = list.filter((item) => item !== undefined);
      expect(segment).toMatchObject({
        first: FIRST,
        last: FIRST + list.length - 1,
        messages: there.length,
        ageMs: 12.5,
      });
      expect(segment.bytes).toBe(sizes(list).reduce((sum, size) => sum + size, 0));
    }),
  );
});

test('when consecutive messages are cut out, they are joined by commas', () => {
  const list = ['{"a":1}', '{"ü":2}', undefined, '{"c":3}'];
  const { key, record } = encodeSegment('results', 5, list, sizes(list), at);
  const segment = decodeSegment(key, record);
  expect(segment && bytesOf(segment, 5, 6).toString()).toBe('{"a":1},{"ü":2}');
});

test('when a message is taken out or changed, the others stay as they are', () => {
  fc.assert(
    fc.property(
      items,
      fc.nat(29),
      fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
      (list, place, change) => {
        const index = place % list.length;
        const made = encodeSegment('history', 9, list, sizes(list), at);
        const segment = decodeSegment(made.key, made.record);
        if (segment === undefined) throw new Error('does not decode');
        const changed = list.with(index, change);
        const expected = encodeSegment('history', 9, changed, sizes(changed), { ...at, commit: 8 });
        const rewritten = rewriteSegment('history', segment, new Map([[9 + index, change]]), 8);
        expect(rewritten.record.equals(expected.record)).toBe(true);
      },
    ),
  );
});

test('when any bit of a record is flipped, it is not taken for whole', () => {
  fc.assert(
    fc.property(items, fc.nat(), fc.nat(7), (list, place, bit) => {
      const { key, record } = encodeSegment('telemetry', 1, list, sizes(list), at);
      const index = place % record.length;
      record[index] = (record[index] ?? 0) ^ (1 << bit);
      expect(decodeSegment(key, record)).toBeUndefined();
    }),
    { numRuns: 500 },
  );
});

test('when a key leads to the record of another, it is not taken for its own', () => {
  const { record } = encodeSegment('events', 1, ['{}'], [2], at);
  const { key } = encodeSegment('events', 2, ['{}'], [2], at);
  expect(decodeSegment(key, record)).toBeUndefined();
});
