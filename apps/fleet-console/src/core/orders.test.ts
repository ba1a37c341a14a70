import type { Order } from '@bowline/messages';
import { expect, test } from 'vitest';
import { moodOf, orderName, orderParams, orderSteps, progressInWords, standingOf } from './orders.ts';

const order = (more: Partial<Order>): Order => ({
  orderId: 'o',
  deviceId: 'demo',
  seq: 1,
  type: 'command',
  payload: { name: 'ping', params: {} },
  createdAt: 1000,
  status: 'queued',
  attempt: 0,
  history: [],
  ...more,
});

test('when an order is a command, it is called by the name of the command', () => {
  expect(orderName(order({}))).toBe('ping');
  expect(orderName(order({ payload: { signed: 'a.b.c' } }))).toBe('signed command');
  expect(orderName(order({ type: 'config', payload: {} }))).toBe('config');
});

test('when an order was called off before its device had it, it looks as was wanted, not as failed', () => {
  const withdrawn = { code: 'withdrawn', message: 'the order was called off' };
  for (const status of ['queued', 'expired', 'failed'] as const) {
    expect(moodOf(order({ status, error: withdrawn }))).toBe('quiet');
    expect(standingOf(order({ status, error: withdrawn }))).toBe('withdrawn');
  }
  const late = order({ status: 'expired', error: { code: 'expired', message: 'too late' } });
  expect([moodOf(late), standingOf(late)]).toEqual(['bad', 'expired']);
});

test('when it has no parameters, nothing is shown for them', () => {
  expect(orderParams(order({}))).toBe('');
  expect(orderParams(order({ payload: { name: 'x', params: { seconds: 5 } } }))).toBe('{"seconds":5}');
});

test('when an order calls off another, that one is named', () => {
  const cancel = order({ type: 'cancel', payload: { orderId: 'o' } });
  expect(orderParams(cancel, [order({})])).toBe('of ping');
  expect(orderParams(cancel)).toBe('o');
});

test('when the history begins with an ack, the creation is put before it', () => {
  const steps = orderSteps(
    order({
      history: [
        { status: 'received', at: 1100, receivedAt: 1110, attempt: 0 },
        { status: 'started', at: 1050, receivedAt: 1120, attempt: 1 },
      ],
    }),
  );
  expect(steps.map(({ status, tookMs }) => [status, tookMs])).toEqual([
    ['queued', undefined],
    ['received', 100],
    ['started', 0],
  ]);
});

test('when the history has its creation already, it is not doubled', () => {
  const history = [{ status: 'queued' as const, at: 1000, receivedAt: 1000, attempt: 0 }];
  expect(orderSteps(order({ history }))).toHaveLength(1);
});

test('when an order grants a session, the page says to whom and why; a grant that does not read is left out', () => {
  const claims = Buffer.from(JSON.stringify({ user: 'support', by: 'ada', reason: 'größer?' })).toString(
    'base64url',
  );
  const grant = order({ type: 'sshAccess', payload: { grant: `e30.${claims}.sig`, token: 'secret' } });
  expect(orderParams(grant)).toBe('as support, for ada: größer?');
  for (const broken of ['x', 'a.%.c', undefined])
    expect(orderParams(order({ type: 'sshAccess', payload: { grant: broken } }))).toBe('');
});

test('when it is an update, the line says which release, and how far it is in phase, bytes, rate and rest', () => {
  const signed = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.sig`;
  const said = (claims: object) =>
    orderParams(order({ type: 'softwareUpdate', payload: { order: signed(claims) } }));
  expect(said({ name: 'kiosk', version: '2.0.0' })).toBe('kiosk 2.0.0');
  expect(said({ name: 'kiosk', version: '2.0.0', preview: true })).toBe('kiosk 2.0.0, preview');
  const data = {
    phase: 'fetching',
    bytes: 1536,
    totalBytes: 3 * 1024 ** 2,
    bytesPerSecond: 2048,
    remainingSeconds: 90,
  };
  expect(progressInWords({ percent: 1, data })).toBe('fetching, 1.5 KiB of 3 MiB, 2 KiB/s, 1 min left');
  expect(progressInWords({ percent: 1, data: { phase: 'trial' } })).toBe('trial');
  expect(progressInWords({ percent: 62, note: 'checking storage' })).toBe('');
});
