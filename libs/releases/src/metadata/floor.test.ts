import { describe, expect, test } from 'vitest';
import { mustNotFall, type Floor, type RolesOfRoot } from './floor.ts';

const floor = (timestamp: string[], snapshot: string[]): Floor => ({
  anchor: 'a',
  versions: { root: 2, timestamp: 9, snapshot: 8, targets: 7, 'a-delegate': 6 },
  keys: { timestamp, snapshot },
  atMs: 0,
});
const root = (timestamp: string[], snapshot: string[], threshold = 1): RolesOfRoot => ({
  timestamp: { keyids: timestamp, threshold },
  snapshot: { keyids: snapshot, threshold },
});
const SAME = { root: 3, timestamp: 9, snapshot: 8, targets: 7, 'a-delegate': 6 };
const fallen = (kept: Floor, of: RolesOfRoot) =>
  Object.keys(SAME).filter((role) => {
    try {
      mustNotFall({ ...SAME, [role]: 1 }, of, kept);
      return true;
    } catch {
      return false;
    }
  });

describe('versions that were seen', () => {
  test('when the same are shown, or newer ones, all is well', () => {
    mustNotFall(SAME, root(['t'], ['s']), floor(['t'], ['s']));
    mustNotFall({ ...SAME, targets: 70, another: 1 }, root(['t'], ['s']), floor(['t'], ['s']));
  });

  test.each([
    ['the keys are the same', floor(['t'], ['s']), root(['t'], ['s']), []],
    ['keys were added', floor(['t'], ['s']), root(['t', 'u'], ['s', 'u']), []],
    [
      'it was kept by a version that knew no keys',
      { ...floor([], []), keys: undefined },
      root(['t'], ['s']),
      [],
    ],
    [
      'the key of the timestamp is another',
      floor(['t'], ['s']),
      root(['u'], ['s']),
      ['timestamp', 'snapshot'],
    ],
    [
      'one of two keys of the timestamp is gone',
      floor(['t', 'u'], ['s']),
      root(['u'], ['s']),
      ['timestamp', 'snapshot'],
    ],
    [
      'the key of the snapshot is another',
      floor(['t'], ['s']),
      root(['t'], ['u']),
      ['snapshot', 'targets', 'a-delegate'],
    ],
    [
      'the old keys alone are too few now',
      floor(['t'], ['s']),
      root(['t', 'u'], ['s', 'u'], 2),
      ['timestamp', 'snapshot', 'targets', 'a-delegate'],
    ],
  ] as const)('when %s, these may fall and no others', (_, kept, of, may) => {
    expect(fallen(kept as Floor, of)).toEqual(may);
  });
});
