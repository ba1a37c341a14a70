/** A fleet as it might look at 3 a.m.: one device dark with work waiting, one with something stuck, one fine. */
import type { Order, OrderStep, Rollout, StoredSample } from '@bowline/messages';
import { newOrder, type FakeFleetServer } from './fake-fleet-server.ts';

const MINUTE = 60_000;

/** A rollout at 10 % that goes well. */
export const sampleRollout = (more: Partial<Rollout> = {}): Rollout => ({
  rolloutId: 'press-control-2.4.0',
  group: 'presses',
  channel: 'stable',
  name: 'press-control',
  version: '2.4.0',
  percent: 10,
  status: 'running',
  maxFailedPercent: 5,
  by: 'ada',
  createdAt: Date.now() - 3 * 3_600_000,
  changedAt: Date.now() - MINUTE,
  signedUntil: Date.now() + 2 * 86_400_000,
  groupDevices: 1_200,
  devices: 124,
  given: 9,
  succeeded: 80,
  failed: 2,
  recalled: 0,
  failures: { 'probe-failed': 2 },
  ...more,
});

export function fillFleet(server: FakeFleetServer, now: number): void {
  const lane = (accepted: number, waiting: number, dropped = 0) => ({
    accepted,
    receipted: accepted - waiting - dropped,
    expired: 0,
    dropped,
    rejected: 0,
    waiting,
  });
  const apps = {
    'command-executor': 'ready',
    'telemetry-collector': 'ready',
    'ota-updater': 'ready',
    'ssh-broker': 'ready',
  };
  server.putDevice({
    deviceId: 'demo',
    name: 'demo',
    groups: ['bench'],
    online: true,
    since: now - 3 * 3_600_000 - 12 * MINUTE,
    lastSeenAt: now - 4_000,
    agentVersion: '0.1.0',
    roundTripMs: 11.4,
    queue: { messages: 0, bytes: 0 },
    ledger: { results: lane(24, 0), events: lane(9, 0), telemetry: lane(4_812, 0), history: lane(96, 0) },
    apps,
    alarms: [],
  });
  server.putDevice({
    deviceId: 'press-04',
    name: 'Press 4, hall B',
    groups: ['hall-b', 'presses'],
    online: false,
    // For most of a minute yet both are 27 minutes ago, to whoever looks.
    since: now - 27 * MINUTE - 1_000,
    lastSeenAt: now - 27 * MINUTE - 4_000,
    agentVersion: '0.1.0',
    queue: { messages: 1_204, bytes: 388_120, oldestAt: now - 31 * MINUTE },
    ledger: { results: lane(18, 1), events: lane(7, 0), telemetry: lane(21_940, 1_203), history: lane(0, 0) },
    apps: { ...apps, 'ota-updater': 'away' },
    alarms: [],
  });
  server.putDevice({
    deviceId: 'pump-11',
    name: 'Pump 11',
    groups: ['hall-a'],
    online: true,
    since: now - 6 * 86_400_000 - 4 * 3_600_000,
    lastSeenAt: now - 12_000,
    agentVersion: '0.1.0',
    roundTripMs: 84.2,
    queue: { messages: 0, bytes: 0 },
    ledger: {
      results: lane(31, 0),
      events: lane(12, 0),
      telemetry: lane(80_112, 0),
      history: lane(640, 0, 12),
    },
    apps,
    alarms: [],
  });
  for (const order of ordersAt(now)) server.putOrder(order);
  for (const deviceId of ['demo', 'press-04', 'pump-11']) {
    fillSamples(server, deviceId, deviceId === 'press-04' ? now - 27 * MINUTE - 30_000 : now, now);
  }
  const event = (
    deviceId: string,
    id: number,
    ago: number,
    severity: 'info' | 'warning' | 'error',
    kind: string,
    data = {},
  ) =>
    server.putEvent({
      id: `e${deviceId}${id}`,
      deviceId,
      at: now - ago,
      receivedAt: now - ago + 80,
      severity,
      kind,
      data,
    });
  event('demo', 1, 192 * MINUTE, 'info', 'agent-started', { version: '0.1.0', reason: 'boot' });
  event('demo', 2, 46 * MINUTE, 'warning', 'app-restarted', { app: 'telemetry-collector', exitCode: 137 });
  event('demo', 3, 45 * MINUTE, 'info', 'config-applied', { version: 12, app: 'telemetry-collector' });
  event('press-04', 1, 61 * MINUTE, 'error', 'update-failed', {
    release: '2026.11.2',
    step: 'verify',
    code: 'hash-mismatch',
  });
  event('press-04', 2, 29 * MINUTE, 'warning', 'app-restarted', { app: 'ota-updater', exitCode: 1 });
}

function ordersAt(now: number): Order[] {
  let seq = 0;
  const order = (
    deviceId: string,
    name: string,
    params: Record<string, unknown>,
    ago: number,
    steps: [OrderStep['status'], number][],
    more: Partial<Order> = {},
  ): Order => {
    const made = newOrder(deviceId, (seq += 1), { type: 'command', payload: { name, params } });
    let at = now - ago;
    made.createdAt = at;
    made.history = [{ status: 'queued', at, receivedAt: at, attempt: 0 }];
    for (const [status, tookMs] of steps) {
      at += tookMs;
      const attempt = ['queued', 'sent', 'received'].includes(status) ? 0 : 1;
      made.history.push({ status, at, receivedAt: at + 6, attempt });
      made.status = status;
      made.attempt = attempt;
    }
    return { ...made, ...more };
  };
  return [
    order(
      'demo',
      'ping',
      {},
      178 * MINUTE,
      [
        ['sent', 2],
        ['received', 9],
        ['started', 4],
        ['succeeded', 3],
      ],
      { result: { pong: true } },
    ),
    order(
      'demo',
      'service.restart',
      { unit: 'vision.service' },
      52 * MINUTE,
      [
        ['sent', 3],
        ['received', 12],
        ['started', 5],
        ['failed', 4_210],
      ],
      {
        error: { code: 'exit-status', message: 'vision.service did not become active (exit status 1)' },
      },
    ),
    order(
      'demo',
      'snapshot.take',
      { camera: 'front', quality: 80 },
      14 * MINUTE,
      [
        ['sent', 2],
        ['received', 10],
        ['started', 4],
        ['succeeded', 1_840],
      ],
      { result: { sizeBytes: 482_113 } },
    ),
    order(
      'demo',
      'selftest.run',
      { suite: 'full' },
      40_000,
      [
        ['sent', 2],
        ['received', 9],
        ['started', 4],
      ],
      { progress: { percent: 62, note: 'checking storage' } },
    ),
    order('press-04', 'ping', {}, 92 * MINUTE, [
      ['sent', 2],
      ['received', 80],
      ['started', 6],
      ['succeeded', 5],
    ]),
    order('press-04', 'service.restart', { unit: 'press.service' }, 28 * MINUTE, [
      ['sent', 3],
      ['received', 120],
      ['started', 6],
    ]),
    order('press-04', 'ping', {}, 11 * MINUTE, []),
    order('pump-11', 'log.collect', { app: 'ws-gateway', lines: 2000 }, 9 * MINUTE, [
      ['sent', 4],
      ['received', 90],
    ]),
  ];
}

/** Smooth, repeatable curves at one sample in ten seconds, with one outage of six minutes. */
function fillSamples(server: FakeFleetServer, deviceId: string, until: number, now: number): void {
  const curve = (middle: number, swing: number, phase: number) => (at: number) =>
    middle +
    swing *
      (0.6 * Math.sin(at / 170_000 + phase) +
        0.3 * Math.sin(at / 47_000 + phase * 2) +
        0.1 * Math.sin(at / 9_700));
  const outage = { from: now - 11 * MINUTE, to: now - 7 * MINUTE };
  const moments = Array.from({ length: 360 }, (_, index) => until - (359 - index) * 10_000).filter(
    (at) => at < outage.from || at > outage.to,
  );
  const put = (series: string, unit: string, value: (at: number) => number): void => {
    const samples: StoredSample[] = moments.map((at) => ({ at, value: value(at) }));
    server.putSamples(deviceId, series, samples, unit);
  };
  put('system.cpu.utilization', '1', curve(0.31, 0.2, 0));
  put('system.memory.utilization', '1', curve(0.58, 0.03, 1));
  put('system.cpu.load_average.1m', '{thread}', curve(1.4, 0.8, 2));
  put('system.cpu.load_average.5m', '{thread}', curve(1.2, 0.4, 2.2));
  put('system.cpu.load_average.15m', '{thread}', curve(1.1, 0.2, 2.4));
  put('hw.temperature:cpu', 'Cel', curve(54, 6, 0.4));
  put('system.filesystem.utilization:/', '1', (at) => 0.412 + (at % 1e7) / 1e9);
  const start = now - 3 * 3_600_000;
  put('system.network.io:eth0:receive', 'By', (at) =>
    Math.round(((at - start) / 1000) * 182_000 + 4e6 * Math.sin(at / 90_000)),
  );
  put('system.network.io:eth0:transmit', 'By', (at) =>
    Math.round(((at - start) / 1000) * 61_000 + 1e6 * Math.sin(at / 70_000)),
  );
  put('press.force', 'kN', curve(212, 40, 3));
}
