import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { BEGINNING, type Cursor, type Item } from './item.ts';
import { packParts, type PackedPart } from './pack-parts.ts';

type Numbered = Item & { groupIndex: number };

async function* from(items: readonly Numbered[], cursor: Cursor = BEGINNING): AsyncGenerator<Numbered> {
  let skip = cursor.skip;
  for (const item of items) {
    if (item.groupIndex < cursor.group || (item.groupIndex === cursor.group && item.at < cursor.at)) continue;
    if (item.groupIndex === cursor.group && item.at === cursor.at && skip > 0) skip -= 1;
    else yield item;
  }
}
const packed = async (items: readonly Numbered[], cursor: Cursor = BEGINNING) => {
  const parts: PackedPart[] = [];
  for await (const part of packParts(from(items, cursor), cursor)) parts.push(part);
  return parts;
};
const contentOf = ({ payload: { encoding, data } }: PackedPart): unknown[] =>
  (encoding === 'json'
    ? data
    : JSON.parse(gunzipSync(Buffer.from(data as string, 'base64')).toString())) as unknown[];
const line = (at: number, text: string): Numbered => ({ at, text: JSON.stringify(text), groupIndex: 0 });

describe('packParts', () => {
  test('when there is little, it is one part as it is', async () => {
    const parts = await packed([line(1, 'a'), line(2, 'b')]);
    expect(parts).toMatchObject([{ payload: { encoding: 'json', data: ['a', 'b'] }, items: 2 }]);
  });

  test('when there is nothing, it is one part with nothing in it', async () => {
    expect(await packed([])).toMatchObject([{ payload: { data: [] }, items: 0 }]);
  });

  test('when points are of several series, they stand under their names', async () => {
    const point = (series: string, groupIndex: number, at: number): Numbered => ({
      at,
      text: `[${at},1]`,
      group: { series, unit: 'Cel' },
      groupIndex,
    });
    const [part] = await packed([point('a', 0, 1), point('a', 0, 2), point('b', 1, 1)]);
    expect(part && contentOf(part)).toEqual([
      {
        series: 'a',
        unit: 'Cel',
        points: [
          [1, 1],
          [2, 1],
        ],
      },
      { series: 'b', unit: 'Cel', points: [[1, 1]] },
    ]);
  });

  test('when there is much, and it hardly packs, each part fits into a frame and nothing is missing', async () => {
    const items = Array.from({ length: 3000 }, (_, index) =>
      line(Math.floor(index / 7), randomBytes(200).toString('hex')),
    );
    const parts = await packed(items);
    expect(parts.length).toBeGreaterThan(5);
    expect(parts.every(({ payload }) => JSON.stringify(payload).length < 60_000)).toBe(true);
    expect(parts.flatMap(contentOf)).toEqual(items.map(({ text }) => JSON.parse(text) as unknown));
  });

  test('when it goes on from where any part began, the rest is the same', async () => {
    const items = Array.from({ length: 2000 }, (_, index) =>
      line(Math.floor(index / 7), randomBytes(200).toString('hex')),
    );
    const parts = await packed(items);
    for (const [index, { next }] of parts.entries()) {
      const rest = (await packed(items, next)).flatMap(contentOf);
      expect(rest).toEqual(parts.slice(index + 1).flatMap(contentOf));
    }
  });
});
