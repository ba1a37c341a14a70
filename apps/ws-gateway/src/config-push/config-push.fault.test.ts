import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { openQueue, type DurableQueue, type JournalEntry } from '@bowline/durable-queue';
import type { ConfiguredApp } from '@bowline/messages/hub/apps';
import { configAnswers } from '@bowline/ipc';
import { createLogger, ServerClock, systemClock, type LiveConfig } from '@bowline/runtime';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { expect, it } from 'vitest';
import { Counters } from '../counters.ts';
import { OrderDesk } from '../dispatcher/order-desk.ts';
import { EventReporter } from '../event-reporter.ts';
import { pacedConfig } from '../test-kit/configured-app.ts';
import { MortalLife, never, withCommits, type Crash } from '../test-kit/crash.ts';
import { ConfigPush } from './config-push.ts';
import { ConfigRecords } from './config-records.ts';
import type { ConfigTargets } from './config-targets.ts';
import { OwnOverride } from './own-override.ts';

const APPS = ['telemetry-collector', 'command-executor'] as const;
const ORDER = '01980000-0000-7000-8000-000000000001';
const log = createLogger({ app: 'test', write: () => undefined });

/** What survives: the store, and a folder for each app. */
interface Disk {
  folder: string;
  stateOf: Record<string, string>;
}

/** One life of the device, with the real store, desk and app configurations, cut off at `crash`; durable writes are counted. */
async function life(
  disk: Disk,
  crash: Crash | undefined,
  { refuses, bootId }: { refuses: boolean; bootId: string },
) {
  const mortal = new MortalLife(crash);
  const opened = await openQueue({ folder: join(disk.folder, 'store'), wallMs: Date.now });
  const queue = withCommits(opened, (batch) => mortal.durably(() => opened.commit(batch)));
  const lives = new Map<ConfiguredApp, LiveConfig<{ pace: number }>>(
    APPS.map((app) => [app, pacedConfig(app, disk.stateOf[app] ?? '')]),
  );
  const answers = (app: ConfiguredApp) => {
    const live = lives.get(app);
    if (live === undefined) throw new Error(`${app} is not part of this test`);
    return configAnswers(live, () => undefined);
  };
  const targets: ConfigTargets = {
    isHere: (app) => APPS.some((each) => each === app),
    validate: (app, section) => (mortal.dead ? never() : answers(app).validate({ section })),
    // The app's own durable write.
    apply: async (app, request) => {
      // Said only when it comes to it, after its validation went well.
      const no = refuses && app === 'command-executor' && request.section['pace'] === 7;
      if (no) return { faults: [{ key: 'pace', message: 'too fast for me' }], hash: '', restarts: false };
      return mortal.durably(() => answers(app).apply(request));
    },
    show: () => never(),
    checkOverride: () => never(),
    takeOverride: () => never(),
  };
  const events = new EventReporter({ queue, clock: systemClock, counters: new Counters(), log });
  const records = new ConfigRecords(queue);
  const desk = new OrderDesk({
    queue,
    clock: systemClock,
    serverClock: new ServerClock(systemClock),
    log,
    events,
    bootId,
    parkedOrders: () => 16,
    own: new Map(),
    supports: () => true,
    startsAtOnce: () => false,
    offer: () => push.take(),
    cancel: (entry) => Promise.resolve(push.cancel(entry)),
    stored: () => undefined,
    receipt: () => undefined,
  });
  const push: ConfigPush = new ConfigPush({
    queue,
    records,
    targets,
    desk,
    events,
    clock: systemClock,
    now: () => ({ bootId, monotonicMs: performance.now() }),
    log,
    limits: () => ({ keepDocuments: 3, applyWithinMs: 600_000, confirmWithinMs: 600_000 }),
    renewLink: () => undefined,
    stored: () => undefined,
    own: new OwnOverride({
      live: pacedConfig('ws-gateway', disk.folder),
      clock: systemClock,
      log,
      restart: () => undefined,
    }),
    isEnrolled: () => true,
    lastLinkError: () => undefined,
    isHeld: () => false,
  });
  return {
    queue: opened,
    push,
    desk,
    records,
    died: mortal.died,
    writes: () => mortal.writes,
    paces: () => [...lives.values()].map(({ current }) => current.pace),
    onDisk: () => APPS.map((app) => pacedConfig(app, disk.stateOf[app] ?? '').current.pace),
    end: async () => {
      push.stop();
      mortal.dead = true;
      // Whatever is under way gets to its next write, and no further.
      await setImmediate();
      await opened.close();
    },
  };
}

const order = (pace: number) => ({
  orderId: ORDER,
  seq: 1,
  type: 'config',
  payload: { version: 1, sections: Object.fromEntries(APPS.map((app) => [app, { pace }])) },
});

function newDisk(): Disk {
  const folder = temporaryFolder();
  const stateOf = Object.fromEntries(APPS.map((app) => [app, mkdtempSync(join(folder, `${app}-`))]));
  return { folder, stateOf };
}

const ended = (queue: DurableQueue): JournalEntry | undefined => {
  const entry = queue.order(ORDER);
  return entry?.endedAt === undefined ? undefined : entry;
};
const reports = (queue: DurableQueue): unknown[] =>
  queue
    .read('events', 0, { messages: 100, bytes: 1e6 })
    .map(({ json }) => JSON.parse(json) as { type: string; payload: { status?: unknown } })
    .filter(({ type }) => type === 'configReport')
    .map(({ payload }) => payload.status);

/** The device lives until `crash`, then again until the order has ended. */
async function crashedAndMended(crash: Crash, { reboot, refuses }: { reboot: boolean; refuses: boolean }) {
  const disk = newDisk();
  const first = await life(disk, crash, { refuses, bootId: 'boot-1' });
  await first.push.start();
  // The server sends an order again that was not receipted.
  void first.desk.receive(order(7));
  const whole = waitFor(() => ended(first.queue), { what: 'the end' }).then(() => undefined);
  await Promise.race([first.died, whole]);
  await first.end();

  const second = await life(disk, undefined, { refuses, bootId: reboot ? 'boot-2' : 'boot-1' });
  await second.push.start();
  await second.desk.receive(order(7));
  for (const app of APPS) second.push.registered(app);
  // In memory it is known a moment after it is on disk.
  await waitFor(() => second.records.step.phase === 'settled' && reports(second.queue).length > 0, {
    what: 'the end after the crash',
  });
  const entry = await waitFor(() => ended(second.queue), { what: 'the end of the order' });
  const outcome = {
    status: entry.status,
    phase: second.records.step.phase,
    version: second.records.inForce.version,
    reports: reports(second.queue),
  };
  await waitFor(() => new Set(second.paces()).size === 1, { what: 'the apps to agree' });
  const paces = { live: second.paces(), disk: second.onDisk() };
  await second.end();
  return { outcome, paces };
}

const KEPT = { status: 'succeeded', version: 1, reports: ['applied'], pace: 7 };
const TAKEN_BACK = { status: 'failed', version: 0, reports: ['rolledBack'], pace: 1 };

it.each([
  { what: 'all apps take it', after: 'a restart', reboot: false, refuses: false, end: KEPT },
  { what: 'all apps take it', after: 'a reboot', reboot: true, refuses: false, end: KEPT },
  { what: 'one refuses at last', after: 'a restart', reboot: false, refuses: true, end: TAKEN_BACK },
  { what: 'one refuses at last', after: 'a reboot', reboot: true, refuses: true, end: TAKEN_BACK },
])(
  'when $what and everything stops before or after any durable write, after $after the apps agree with the one end of the order',
  async ({ reboot, refuses, end }) => {
    const probe = await life(newDisk(), undefined, { refuses, bootId: 'boot-1' });
    await probe.push.start();
    await probe.desk.receive(order(7));
    await waitFor(() => ended(probe.queue), { what: 'the end' });
    const all = probe.writes();
    await probe.end();
    // Received, started, apps, the end; and what goes back.
    expect(all).toBeGreaterThanOrEqual(5);

    const { pace, ...wanted } = end;
    for (let at = 1; at <= all; at += 1) {
      for (const before of [true, false]) {
        const { outcome, paces } = await crashedAndMended({ at, before }, { reboot, refuses });
        expect({ at, before, ...outcome }).toEqual({ at, before, phase: 'settled', ...wanted });
        expect(paces).toEqual({ live: [pace, pace], disk: [pace, pace] });
      }
    }
  },
);
