import { expect, test } from 'vitest';
import { judgeOrders, type GivenOrder } from './judge.ts';

const order = (orderId: string, change: Partial<GivenOrder> = {}): GivenOrder => ({
  orderId,
  idempotent: false,
  status: 'succeeded',
  changed: false,
  ...change,
});
const FINE = { twice: 0, missing: 0, unasked: 0, unfinished: 0, changed: 0, leftRunning: 0 };

test('when each effect is there as often as it may be, nothing is wrong', () => {
  const orders = [
    order('a'),
    order('b', { idempotent: true }),
    order('c', { status: 'indeterminate' }),
    order('d', { status: 'indeterminate' }),
    order('e', { status: 'rejected' }),
  ];
  expect(judgeOrders(orders, ['a', 'b', 'b', 'c'], 0)).toMatchObject({
    ...FINE,
    orders: 5,
    succeeded: 2,
    indeterminate: 2,
    effects: 4,
  });
});

test.each<[string, GivenOrder[], string[], object]>([
  ['an effect took place twice', [order('a')], ['a', 'a'], { twice: 1 }],
  ['an effect is missing', [order('a')], [], { missing: 1 }],
  ['an effect is of an order that nobody gave', [], ['x'], { unasked: 1 }],
  ['a refused order had its effect', [order('a', { status: 'rejected' })], ['a'], { unasked: 1 }],
  ['an order did not end', [order('a', { status: 'started' })], ['a'], { unfinished: 1 }],
  ['an order ended twice', [order('a', { changed: true })], ['a'], { changed: 1 }],
])('when %s, that is what is told', (_, orders, effects, wrong) => {
  expect(judgeOrders(orders, effects, 0)).toMatchObject({ ...FINE, ...wrong });
});
