import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { onceDurably } from './once.ts';

let folder: string;
let file: string;
let ids: number;
const newId = () => `id-${(ids += 1)}`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bl-once-'));
  file = join(folder, 'state', 'marker.json');
  ids = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The ids with which it was done for the keys in turn. */
async function act(...keys: string[]): Promise<string[]> {
  const done: string[] = [];
  for (const key of keys) await onceDurably(file, key, newId, async (id) => void done.push(id));
  return done;
}

describe('onceDurably', () => {
  test('when the key is the same, it is done once, for each new key once more', async () => {
    expect(await act('a', 'a', 'b', 'b', 'a')).toEqual(['id-1', 'id-2', 'id-3']);
  });

  test('when the process dies before it is done, it is repeated with the same id', async () => {
    const cutOff = onceDurably(file, 'a', newId, () => Promise.reject(new Error('killed')));
    await expect(cutOff).rejects.toThrow('killed');
    expect(await act('a')).toEqual(['id-1']);
  });

  test('when it is about to be done, the intent is on disk already', async () => {
    await onceDurably(file, 'a', newId, async (id) => {
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ key: 'a', id, done: false });
    });
  });

  test.each(['', '{"key":"a"', '[]', 'null', '{"key":"a","id":7,"done":true}'])(
    'when the file holds %j, it counts as none',
    async (content) => {
      await act('a');
      writeFileSync(file, content);
      expect(await act('a')).toEqual(['id-2']);
    },
  );
});
