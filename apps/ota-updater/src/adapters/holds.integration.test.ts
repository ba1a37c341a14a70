import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { LONGEST_HOLD_MS, readHolds } from './holds.ts';

const NOW = 1_800_000_000_000;
const CLOCK = { wallMs: () => NOW, sinceBootMs: () => 60_000 };

test('when holds are over, they are removed; the others count, none for longer than it may', () => {
  const folder = temporaryFolder();
  const write = (name: string, hold: object) => writeFileSync(join(folder, name), JSON.stringify(hold));
  write('past.json', { until: NOW });
  write('oven.json', { until: NOW + 1, reason: 'baking' });
  write('greedy.json', { until: NOW * 2 });
  expect(readHolds(folder, CLOCK, 'boot')).toEqual([
    { owner: 'greedy', until: NOW + LONGEST_HOLD_MS },
    { owner: 'oven', until: NOW + 1, reason: 'baking' },
  ]);
  expect(existsSync(join(folder, 'past.json'))).toBe(false);
  expect(readHolds(join(folder, 'nowhere'), CLOCK, 'boot')).toEqual([]);
});

test.each(['null', '7', '"text"', '[]', '{}', '{ "until": "tomorrow" }', 'no JSON', ''])(
  'when a hold is %j, which says nothing, it counts all the same: somebody wanted it',
  (text) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'odd.json'), text);
    expect(readHolds(folder, CLOCK, 'boot')).toMatchObject([
      { owner: 'odd', reason: 'its file cannot be read' },
    ]);
  },
);

test('when a hold is no file at all, it counts as well', () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'odd.json'));
  expect(readHolds(folder, CLOCK, 'boot')).toMatchObject([
    { owner: 'odd', reason: 'its file cannot be read' },
  ]);
});

test('when the clock was set after somebody wanted a hold, it lasts as long as was wanted', () => {
  const folder = temporaryFolder();
  const hold = { until: 3_600_000, boot: { id: 'boot', untilMs: 3_660_000 } };
  writeFileSync(join(folder, 'oven.json'), JSON.stringify(hold));
  expect(readHolds(folder, CLOCK, 'boot')).toEqual([{ owner: 'oven', until: NOW + 3_600_000 }]);
  expect(readHolds(folder, CLOCK, 'the next')).toEqual([]);
});
