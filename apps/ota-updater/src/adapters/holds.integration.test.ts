import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { LONGEST_HOLD_MS, readHolds } from './holds.ts';

const NOW = 1_800_000_000_000;

test('when holds are over, they are removed; the others count, none for longer than it may', () => {
  const folder = temporaryFolder();
  const write = (name: string, hold: object) => writeFileSync(join(folder, name), JSON.stringify(hold));
  write('past.json', { until: NOW });
  write('oven.json', { until: NOW + 1, reason: 'baking' });
  write('greedy.json', { until: NOW * 2 });
  expect(readHolds(folder, NOW)).toEqual([
    { owner: 'greedy', until: NOW + LONGEST_HOLD_MS },
    { owner: 'oven', until: NOW + 1, reason: 'baking' },
  ]);
  expect(existsSync(join(folder, 'past.json'))).toBe(false);
  expect(readHolds(join(folder, 'nowhere'), NOW)).toEqual([]);
});

test.each(['null', '7', '"text"', '[]', '{}', '{ "until": "tomorrow" }', 'no JSON', ''])(
  'when a hold is %j, which says nothing, it counts all the same: somebody wanted it',
  (text) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'odd.json'), text);
    expect(readHolds(folder, NOW)).toMatchObject([{ owner: 'odd', reason: 'its file cannot be read' }]);
  },
);

test('when a hold is no file at all, it counts as well', () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'odd.json'));
  expect(readHolds(folder, NOW)).toMatchObject([{ owner: 'odd', reason: 'its file cannot be read' }]);
});
