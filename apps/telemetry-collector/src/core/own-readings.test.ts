import { expect, test } from 'vitest';
import { GatewayLives, ownReadings } from './own-readings.ts';
import { seriesName } from './series-name.ts';

const lane = {
  messages: 3,
  bytes: 120,
  first: 1,
  next: 4,
  ledger: { accepted: 3, receipted: 0, expired: 0, dropped: 0, rejected: 0, waiting: 3 },
};
const status = {
  device: { bootId: 'b', agentVersion: '1', uptimeSeconds: 1 },
  link: { state: 'online' as const, since: 1, attempts: 1, roundTripMs: 20 },
  queue: { epoch: 'e', lanes: { telemetry: lane }, deadLetters: 2 },
  apps: {
    'telemetry-collector': { state: 'ready', since: 1, restarts: 4, rssBytes: 1000, eventLoopDelayMs: 5 },
    'ssh-broker': { state: 'away', since: 0, restarts: 0 },
  },
  gateway: { pid: 1, startedAt: 1, rssBytes: 2000, eventLoopDelayMs: 0 },
  orders: [],
  counters: {},
};

test('when the gateway tells its status, queues, link and processes are series; what is away has no memory', () => {
  const readings = ownReadings(status);
  expect(
    Object.fromEntries(readings.map((each) => [seriesName(each.metric, each.attributes), each.value])),
  ).toEqual({
    'bowline.queue.messages:telemetry': 3,
    'bowline.queue.size:telemetry': 120,
    'bowline.queue.dead_letters': 2,
    'bowline.link.state': 'online',
    'bowline.link.round_trip': 0.02,
    'bowline.app.restarts:telemetry-collector': 4,
    'bowline.app.restarts:ssh-broker': 0,
    'process.memory.usage:telemetry-collector': 1000,
    'nodejs.eventloop.delay.max:telemetry-collector': 0.005,
    'process.memory.usage:ws-gateway': 2000,
    'nodejs.eventloop.delay.max:ws-gateway': 0,
  });
});

test('when the gateway comes back as another process, that is a restart', () => {
  const lives = new GatewayLives();
  expect([1, 1, 2].map((pid) => lives.seen(pid)[0]?.value)).toEqual([0, 0, 1]);
});
