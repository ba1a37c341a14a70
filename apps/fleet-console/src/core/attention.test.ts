import type { Device, Order } from '@bowline/messages';
import { describe, expect, test } from 'vitest';
import { concernsOf, isWorking, standingOf, watchAll } from './attention.ts';

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;

const device = (more: Partial<Device> = {}): Device => ({
  deviceId: 'demo',
  name: 'demo',
  groups: [],
  online: true,
  since: NOW - 60 * MINUTE,
  lastSeenAt: NOW - 5_000,
  alarms: [],
  ...more,
});
const order = (status: Order['status'], ageMs: number, more: Partial<Order> = {}): Order => ({
  orderId: 'o1',
  deviceId: 'demo',
  seq: 1,
  type: 'command',
  payload: { name: 'ping' },
  createdAt: NOW - ageMs,
  status,
  attempt: 0,
  history: [{ status, at: NOW - ageMs, receivedAt: NOW - ageMs, attempt: 0 }],
  ...more,
});
const texts = (of: Device, orders: Order[] = []): string[] =>
  concernsOf(of, orders, NOW).map(({ kind, text }) => `${kind}: ${text}`);

describe('the link', () => {
  test('when the device is offline, it is dark since then', () => {
    const [concern] = concernsOf(device({ online: false, since: NOW - 27 * MINUTE }), [], NOW);
    expect(concern).toMatchObject({ kind: 'dark', text: 'No contact for 27 min', since: NOW - 27 * MINUTE });
  });

  test('when it has never connected, that is said instead of a time', () => {
    const { since, lastSeenAt, ...never } = device({ online: false });
    expect([since, lastSeenAt]).toBeDefined();
    expect(texts(never)).toEqual(['dark: Enrolled, but has never connected']);
  });

  test('when it is connected but its heartbeats stay away, it is stuck', () => {
    expect(texts(device({ lastSeenAt: NOW - 3 * MINUTE }))).toEqual([
      'stuck: Connected, but silent for 3 min',
    ]);
  });

  test('when all is well, there is nothing to say', () => {
    expect(
      texts(device({ apps: { 'ota-updater': 'ready' }, queue: { messages: 3, bytes: 9, oldestAt: NOW } })),
    ).toEqual([]);
  });
});

describe('orders', () => {
  test('when one was called off before its device had it, nobody waits for it', () => {
    const error = { code: 'withdrawn', message: 'the order was called off' };
    const off = { expiresAt: NOW - 5 * MINUTE };
    expect(texts(device(), [order('queued', 5 * MINUTE, off)])).toHaveLength(1);
    expect(texts(device(), [order('queued', 5 * MINUTE, { ...off, error })])).toEqual([]);
  });

  test('when a connected device does not take an order, it is stuck', () => {
    expect(texts(device(), [order('sent', 20_000)])).toEqual([]);
    expect(texts(device(), [order('sent', 14 * MINUTE)])).toEqual([
      'stuck: Order ping was sent 14 min ago and not received by the device',
    ]);
  });

  test('when an order was received and does not start, it is stuck', () => {
    expect(texts(device(), [order('received', 5 * MINUTE)])).toEqual([
      'stuck: Order ping was received 5 min ago and has not started',
    ]);
  });

  test('when an order runs within its own time limit, it is left alone', () => {
    const payload = { name: 'ping', timeoutMs: 60 * MINUTE };
    expect(texts(device(), [order('started', 50 * MINUTE, { payload })])).toEqual([]);
    expect(texts(device(), [order('started', 62 * MINUTE, { payload })])).toHaveLength(1);
  });

  test('when the device is dark, a waiting order is a note and a running one is stuck', () => {
    const dark = device({ online: false, since: NOW - MINUTE });
    expect(texts(dark, [order('queued', 5 * MINUTE)]).slice(1)).toEqual([
      'note: Order ping waits for the device to come back',
    ]);
    expect(texts(dark, [order('started', 5 * MINUTE)]).slice(1)).toEqual([
      'stuck: Order ping was running on the device when contact was lost',
    ]);
  });

  test('when an order has passed its expiry without a word, that is said', () => {
    expect(texts(device(), [order('sent', 10_000, { expiresAt: NOW - 1 })])).toEqual([
      'stuck: Order ping has passed its expiry, and the device has not said so yet',
    ]);
  });

  test('when an order has ended, or is of another device, it is no concern', () => {
    expect(
      texts(device(), [order('failed', 9 * MINUTE), order('sent', 9 * MINUTE, { deviceId: 'other' })]),
    ).toEqual([]);
  });
});

describe('the inside', () => {
  test('when an app is not ready, it is named with its state', () => {
    expect(texts(device({ apps: { 'ota-updater': 'away' } }))).toEqual(['stuck: ota-updater is away']);
    expect(isWorking('ready')).toBe(true);
    expect(isWorking('misconfigured: stateDir is missing')).toBe(false);
  });

  test('when several apps are in the same state, they are one concern', () => {
    const apps = { 'ota-updater': 'away', 'command-executor': 'ready', 'ssh-broker': 'away' };
    expect(texts(device({ apps }))).toEqual(['stuck: ota-updater, ssh-broker are away']);
    expect(texts(device({ apps, online: false })).slice(1)).toEqual([
      'stuck: ota-updater, ssh-broker were away when last heard',
    ]);
  });

  test('when the queue does not move, its size and age are said', () => {
    const queue = { messages: 1204, bytes: 388_120, oldestAt: NOW - 31 * MINUTE };
    expect(texts(device({ queue }))).toEqual([
      'stuck: 1,204 messages (379 KiB) queued on the device, the oldest for 31 min',
    ]);
  });

  test('when the ledger does not add up, the lane and the difference are said', () => {
    const entry = { accepted: 10, receipted: 6, expired: 0, dropped: 0, rejected: 0, waiting: 1 };
    expect(texts(device({ ledger: { results: entry } }))).toEqual([
      'stuck: The ledger of lane results does not add up: 3 messages unaccounted for',
    ]);
    expect(texts(device({ ledger: { results: { ...entry, waiting: 4 } } }))).toEqual([]);
  });

  test('when the server raised an alarm, it is shown', () => {
    expect(texts(device({ alarms: [{ kind: 'clone', at: NOW, message: 'two devices, one key' }] }))).toEqual([
      'stuck: Alarm clone: two devices, one key',
    ]);
  });

  test('when an alarm is more than a day old, it is a note', () => {
    expect(texts(device({ alarms: [{ kind: 'clone', at: NOW - 25 * 60 * MINUTE }] }))).toEqual([
      'note: Alarm clone',
    ]);
  });
});

test('when devices are listed, the longest dark comes first, then what is stuck, then the rest by name', () => {
  const named = (deviceId: string, more: Partial<Device> = {}) =>
    device({ deviceId, name: deviceId, ...more });
  const watched = watchAll(
    [
      named('b'),
      named('a'),
      named('stuck', { apps: { x: 'away' } }),
      named('dark-short', { online: false, since: NOW - MINUTE }),
      named('dark-long', { online: false, since: NOW - 9 * MINUTE }),
    ],
    [],
    NOW,
  );
  expect(watched.map((entry) => entry.device.name)).toEqual(['dark-long', 'dark-short', 'stuck', 'a', 'b']);
});

test('when there are only notes, the device stands fine', () => {
  expect(standingOf(device(), [{ id: 'x', kind: 'note', text: '' }])).toBe('fine');
});

describe('the configuration', () => {
  const wanted = { version: 4, orderId: 'o', at: NOW - 20 * MINUTE };
  const errors = [{ app: 'telemetry-collector', key: 'series.cpu.intervalMs', message: 'must be >= 0' }];

  test('when it is the one wanted, nothing is said', () => {
    expect(texts(device({ config: { wanted, version: 4, hash: 'a' } }))).toEqual([]);
  });

  test('when it was refused, the first reason is told', () => {
    const report = { version: 4, status: 'rejected' as const, errors, at: NOW };
    expect(texts(device({ config: { wanted, version: 3, drift: 'version', report } }))).toEqual([
      'stuck: Configuration 4 was refused: telemetry-collector series.cpu.intervalMs must be >= 0',
    ]);
  });

  test('when another one is in force for long, or it was changed on the device, that is told', () => {
    expect(texts(device({ config: { wanted, version: 3, drift: 'version' } }))).toEqual([
      'stuck: Configuration 4 is wanted, 3 is in force',
    ]);
    const fresh = { ...wanted, at: NOW - MINUTE };
    expect(texts(device({ config: { wanted: fresh, version: 3, drift: 'version' } }))).toEqual([]);
    expect(texts(device({ config: { wanted, version: 4, drift: 'software' } }))).toEqual([]);
    expect(texts(device({ config: { wanted, version: 4, drift: 'local' } }))).toEqual([
      'stuck: Configuration 4 is in force, but something on the device has changed since',
    ]);
  });
});
