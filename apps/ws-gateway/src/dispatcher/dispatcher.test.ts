import type { JournalEntry } from '@bowline/durable-queue';
import { RejectedError } from '@bowline/runtime/errors';
import { describe, expect, it } from 'vitest';
import { dispatch, LONGEST_ORDER_MS, type DispatchContext, type IncomingOrder } from './dispatcher.ts';
import { applyReport, type OrderStatus } from './order-state.ts';

const order: IncomingOrder = { orderId: 'o1', seq: 5, type: 'command', payload: { name: 'ping' } };
const context: DispatchContext = { received: 4, known: undefined, serverNowMs: 1000, supported: true };
const entry = (status: OrderStatus, attempt = 0): JournalEntry => ({
  orderId: 'o1',
  seq: 5,
  type: 'command',
  payloadJson: '{}',
  status,
  attempt,
  receivedAt: 0,
});

describe('dispatch', () => {
  it('when its seq is stored already, an order is a duplicate whatever it says', () => {
    expect(dispatch({ ...order, seq: 4, fault: { code: 'invalid', message: '' } }, context).kind).toBe(
      'duplicate',
    );
  });

  it('when a known order comes under a new seq, its state is reported again', () => {
    const known = entry('succeeded', 1);
    expect(dispatch(order, { ...context, known })).toEqual({ kind: 'report-again', entry: known });
  });

  it('when its time is over, it is expired; when its time is unknown, it is accepted and decided at its start', () => {
    const timed = { ...order, payload: { name: 'ping', expiresAt: 1000 } };
    expect(dispatch(timed, context)).toMatchObject({ kind: 'refuse', status: 'expired' });
    expect(dispatch(timed, { ...context, serverNowMs: undefined })).toEqual({
      kind: 'accept',
      expiresAt: 1000,
    });
    expect(dispatch(timed, { ...context, serverNowMs: 999 })).toEqual({ kind: 'accept', expiresAt: 1000 });
  });

  it('when it expires in more than 7 days, is malformed or nobody handles it, it is rejected with the rule', () => {
    const late = { ...order, payload: { expiresAt: 1000 + LONGEST_ORDER_MS + 1 } };
    expect(dispatch(late, context)).toMatchObject({
      status: 'rejected',
      error: { code: 'expires-too-late' },
    });
    const broken = { ...order, fault: { code: 'invalid', message: 'payload/name' } };
    expect(dispatch(broken, context)).toMatchObject({ status: 'rejected', error: { code: 'invalid' } });
    expect(dispatch(order, { ...context, supported: false })).toMatchObject({
      error: { code: 'unsupported' },
    });
  });
});

describe('applyReport', () => {
  const all: OrderStatus[] = [
    'received',
    'started',
    'succeeded',
    'failed',
    'cancelled',
    'rejected',
    'expired',
    'indeterminate',
  ];
  const allowed: Partial<Record<OrderStatus, OrderStatus[]>> = {
    received: ['started', 'rejected', 'expired', 'cancelled'],
    started: ['started', 'succeeded', 'failed', 'cancelled', 'indeterminate'],
  };

  /** What a report makes of an order: its new status, `nothing` if it only repeats, or the code of the refusal. */
  const outcome = (from: OrderStatus, to: OrderStatus): string => {
    try {
      return applyReport(entry(from, 1), { status: to, at: 7 }, 'boot')?.status ?? 'nothing';
    } catch (error) {
      return error instanceof RejectedError ? error.code : String(error);
    }
  };

  it.each(all)('when an order is %s, only the transitions of the protocol are taken', (from) => {
    const ended = !['received', 'started'].includes(from);
    const expected = all.map((to) => {
      if (allowed[from]?.includes(to)) return to;
      return ended && from === to ? 'nothing' : 'bad-transition';
    });
    expect(all.map((to) => outcome(from, to))).toEqual(expected);
  });

  it('when a start is reported twice with the same attempt, it counts once; without, it is a further attempt', () => {
    const started = applyReport(entry('received'), { status: 'started', at: 7, attempt: 1 }, 'boot');
    expect(started).toMatchObject({ attempt: 1, startedBootId: 'boot' });
    if (started === undefined) return;
    expect(applyReport(started, { status: 'started', at: 8, attempt: 1 }, 'boot')).toBeUndefined();
    expect(applyReport(started, { status: 'started', at: 8, attempt: 2 }, 'boot')).toMatchObject({
      attempt: 2,
    });
  });
});
