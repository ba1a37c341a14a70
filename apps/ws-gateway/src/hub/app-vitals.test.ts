import { expect, test } from 'vitest';
import { AppVitals } from './app-vitals.ts';

const APP = 'telemetry-collector';
const vitals = { rssBytes: 1000, eventLoopDelayMs: 2 };

test('when an app comes back, it is a restart only if it is another process', () => {
  const all = new AppVitals();
  for (const pid of [1, 1, 2, 3]) all.registered({ app: APP, pid });
  expect([all.restarts(APP), all.restarts('ssh-broker')]).toEqual([2, 0]);
});

test('when a process has told how it fares, that is told of it and of no later one', () => {
  const all = new AppVitals();
  all.told({ app: APP, pid: 1 }, vitals);
  expect([all.of({ app: APP, pid: 1 }), all.of({ app: APP, pid: 2 })]).toEqual([vitals, {}]);
});
