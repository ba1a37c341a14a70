import { expect, it } from 'vitest';
import { accountFor, type Arrival } from './account.ts';

const arrival = (seq: number, value: number, lane = 'telemetry'): Arrival => ({
  lane,
  generation: 1,
  seq,
  value,
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
