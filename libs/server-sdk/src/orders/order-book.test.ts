import { FakeClock } from '@bowline/testing';
import { expect, it } from 'vitest';
import { NewsDesk } from '../news.ts';
import { keys } from '../store/keys.ts';
import { memoryStore } from '../store/memory-store.ts';
import { within } from '../store/server-store.ts';
import { OrderBook } from './order-book.ts';

const BYTES = 100_000;
const large = { type: 'command' as const, payload: { name: 'ping', params: { text: 'x'.repeat(20_000) } } };

it('when orders of a device take more bytes than they may, the oldest that ended go, and without any a new one is refused', async () => {
  const store = memoryStore();
  const limits = { ordersPerDevice: 100, bytesPerDevice: BYTES, waitingPerDevice: 50 };
  const open = () => new OrderBook(store, { clock: new FakeClock(), news: new NewsDesk(), limits });
  const held = () =>
    store.range(within(keys.ordersOf('d1'))).reduce((bytes, { value }) => bytes + value.length, 0);
  const book = open();
  const [first, second] = [await book.create('d1', 'e', large), await book.create('d1', 'e', large)];
  await book.create('d1', 'e', large);
  await book.create('d1', 'e', large);
  await expect(book.create('d1', 'e', large)).rejects.toMatchObject({ code: 'too-many-orders' });
  await book.create('d2', 'e', large);

  for (const { orderId } of [first, second])
    book.ack('d1', { orderId, status: 'succeeded', attempt: 1, at: 1 });
  await book.create('d1', 'e', large);
  expect(book.get(first.orderId)).toBeUndefined();
  expect(book.get(second.orderId)).toMatchObject({ status: 'succeeded' });
  expect(held()).toBeLessThanOrEqual(BYTES);

  // Another book on the same store, as after a restart, counts the same.
  const again = open();
  await again.create('d1', 'e', large);
  expect(again.get(second.orderId)).toBeUndefined();
  await expect(again.create('d1', 'e', large)).rejects.toMatchObject({ code: 'too-many-orders' });
  expect(held()).toBeLessThanOrEqual(BYTES);
});

it('when operators look at an order for ssh, they do not see the token of its device, which the device gets', async () => {
  const limits = { ordersPerDevice: 100, bytesPerDevice: BYTES, waitingPerDevice: 50 };
  const book = new OrderBook(memoryStore(), { clock: new FakeClock(), news: new NewsDesk(), limits });
  const payload = { grant: 'a.b.c', tunnelUrl: 'wss://relay/', token: 'secret' };
  const created = await book.create('d1', 'e', { type: 'sshAccess', payload });
  for (const seen of [created, book.get(created.orderId), ...book.list('d1', 10)])
    expect(seen?.payload).toEqual({ grant: 'a.b.c', tunnelUrl: 'wss://relay/' });
  expect(book.waiting('d1', 0, 10).map((order) => order.payload)).toEqual([payload]);
});
