import type { Ack } from '@bowline/messages';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyAck, hasEnded, step, type OrderRecord } from './order.ts';

const NEW: OrderRecord = {
  orderId: 'o1',
  deviceId: 'd1',
  seq: 1,
  type: 'command',
  payload: {},
  createdAt: 1,
  status: 'queued',
  attempt: 0,
  history: [],
};
const ack = (status: Ack['status'], attempt = 0, more: Partial<Ack> = {}): Ack => ({
  orderId: 'o1',
  status,
  attempt,
  at: 1,
  ...more,
});
const STATUSES = [
  'received',
  'started',
  'succeeded',
  'failed',
  'cancelled',
  'rejected',
  'expired',
  'indeterminate',
] as const;
const anyAck = fc.record({ status: fc.constantFrom(...STATUSES), attempt: fc.integer({ min: 0, max: 3 }) });

describe('acks', () => {
  it('when acks come in any order and number, an order that has ended stays as it ended', () => {
    fc.assert(
      fc.property(fc.array(anyAck, { maxLength: 20 }), (acks) => {
        let order = NEW;
        for (const { status, attempt } of acks) {
          const next = applyAck(order, ack(status, attempt), 1);
          expect(hasEnded(order) && next !== order).toBe(false);
          expect(next.attempt).toBeGreaterThanOrEqual(order.attempt);
          order = next;
        }
      }),
    );
  });

  it('when the same reports repeat, nothing changes', () => {
    const once = [ack('received'), ack('started', 1)].reduce((order, each) => applyAck(order, each, 1), NEW);
    expect([ack('received'), ack('started', 1)].reduce((order, each) => applyAck(order, each, 2), once)).toBe(
      once,
    );
  });

  it('when the server ended the order for want of knowledge, the word of the device on its end counts', () => {
    const lost = step(applyAck(NEW, ack('started', 1), 1), 'indeterminate', 2, {
      code: 'epoch-changed',
      message: 'x',
    });
    expect(applyAck(lost, ack('received'), 3)).toBe(lost);
    const told = applyAck(lost, ack('succeeded', 1, { result: 7 }), 3);
    expect(told).toMatchObject({ status: 'succeeded', result: 7 });
    expect(told.error).toBeUndefined();
    expect(applyAck(told, ack('failed', 1), 4)).toBe(told);
  });

  it('when an order is attempted very often, its history is bounded and keeps both ends', () => {
    let order = applyAck(NEW, ack('received'), 1);
    for (let attempt = 1; attempt <= 200; attempt += 1)
      order = applyAck(order, ack('started', attempt), attempt);
    expect(order.history.length).toBeLessThanOrEqual(64);
    expect(order.history[0]?.status).toBe('received');
    expect(order.history.at(-1)?.attempt).toBe(200);
  });
});
