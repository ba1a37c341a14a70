import { gzipSync } from 'node:zlib';
import type { History } from '@bowline/messages';
import { describe, expect, it } from 'vitest';
import { joinParts } from './history-answer.ts';

const orderId = '01900000-0000-7000-8000-000000000001';
const plain = (part: number, items: unknown, last = false): [number, History] => [
  part,
  { orderId, part, last, encoding: 'json', data: items },
];
const packed = (part: number, text: string | Buffer, last = false): [number, History] => [
  part,
  { orderId, part, last, encoding: 'gzip+base64', data: gzipSync(text).toString('base64') },
];

describe('joinParts', () => {
  it('when all parts are here, in whatever order they came, their items stand one behind the other', async () => {
    const parts = new Map([packed(2, '[5]', true), plain(0, [1, 2]), packed(1, '[3,{"a":4}]')]);
    expect(await joinParts(parts)).toEqual({
      complete: true,
      parts: 3,
      missing: [],
      spoilt: [],
      items: [1, 2, 3, { a: 4 }, 5],
    });
  });

  it('when a part is missing, or the last one is not here, it is not complete, and says what is missing', async () => {
    expect(await joinParts(new Map([plain(0, [1]), plain(3, [4], true)]))).toMatchObject({
      complete: false,
      missing: [1, 2],
      items: [1, 4],
    });
    expect(await joinParts(new Map([plain(0, [1])]))).toMatchObject({ complete: false, missing: [] });
    expect(await joinParts(new Map())).toMatchObject({ complete: false, parts: 0 });
  });

  it('when a part is no array, no gzip, or unpacks to far more than any part, it counts as spoilt', async () => {
    const bomb = packed(3, Buffer.alloc(64 * 2 ** 20, ' '));
    const noGzip: [number, History] = [
      1,
      { orderId, part: 1, last: false, encoding: 'gzip+base64', data: 'AAAA' },
    ];
    const parts = new Map([
      plain(0, { not: 'an array' }),
      noGzip,
      packed(2, 'no JSON'),
      bomb,
      plain(4, [1], true),
    ]);
    expect(await joinParts(parts)).toMatchObject({ complete: false, spoilt: [0, 1, 2, 3], items: [1] });
  });
});
