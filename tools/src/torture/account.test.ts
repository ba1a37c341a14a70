import { expect, it } from 'vitest';
import { accountFor, addAccounts, type Arrival } from './account.ts';

const arrival = <Key extends number | string>(seq: number, key: Key, lane = 'telemetry'): Arrival<Key> => ({
  lane,
  generation: 1,
  seq,
  key,
});

it('when everything arrived once and in order, the account is clean, whatever lane it took', () => {
  const arrivals = [
    arrival(1, 0),
    arrival(3, 4),
    arrival(2, 1),
    arrival(1, 2, 'history'),
    arrival(2, 3, 'history'),
  ];
  expect(accountFor([0, 1, 2, 3, 4], arrivals)).toEqual({
    accepted: 5,
    lost: 0,
    duplicated: 0,
    outOfOrder: 0,
  });
});

it('when something is missing, twice there or swapped, each is counted', () => {
  expect(accountFor([0, 1, 2, 9], [arrival(1, 1), arrival(2, 0), arrival(3, 2), arrival(4, 2)])).toEqual({
    accepted: 4,
    lost: 1,
    duplicated: 1,
    outOfOrder: 1,
  });
});

it('when something arrived that was never accepted, it is not lost and not wrong: its answer was lost', () => {
  expect(accountFor([], [arrival(1, 7)])).toEqual({ accepted: 0, lost: 0, duplicated: 0, outOfOrder: 0 });
});

it('when keys are ids that ascend, they are compared as well; two accounts add up', () => {
  const numbers = accountFor([1, 2], [arrival(1, 2), arrival(2, 1)]);
  const ids = accountFor(['a', 'b', 'c'], [arrival(1, 'b'), arrival(2, 'a'), arrival(3, 'a')]);
  expect(ids).toEqual({ accepted: 3, lost: 1, duplicated: 1, outOfOrder: 1 });
  expect(addAccounts(numbers, ids)).toEqual({ accepted: 5, lost: 1, duplicated: 1, outOfOrder: 2 });
});
