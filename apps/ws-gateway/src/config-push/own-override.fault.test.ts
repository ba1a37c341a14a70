import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { openQueue, type DurableQueue } from '@bowline/durable-queue';
import { createLogger, LiveConfig, systemClock, type Clock, type ConfigValidator } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { expect, it } from 'vitest';
import { Counters } from '../counters.ts';
import { EventReporter } from '../event-reporter.ts';
import { MortalLife, never, withCommits, type Crash } from '../test-kit/crash.ts';
import { ConfigPush } from './config-push.ts';
import { ConfigRecords } from './config-records.ts';
import { TRY_AGAIN_MS } from './durable-steps.ts';
import { STANDS_FOR_MS } from './link-proof.ts';
import { OwnOverride } from './own-override.ts';

const log = createLogger({ app: 'test', write: () => undefined });

interface Addressed {
  stateDir: string;
  link: { url: string };
}

const validate = Object.assign(() => true, {
  errors: [],
  schema: {
    properties: {
      stateDir: { localOnly: true },
      link: { carriesLink: true, properties: { url: { localOnly: true } } },
    },
  },
}) satisfies ConfigValidator;

/** What is tried again is so soon, and a link has proven itself so soon. */
const clock: Clock = {
  ...systemClock,
  after: (ms, call) => systemClock.after([TRY_AGAIN_MS, STANDS_FOR_MS].includes(ms) ? 20 : ms, call),
};

const OLD = { link: { url: 'wss://old' } };

/** A device whose owner has set the address of the link in its override. */
function newDisk() {
  const folder = temporaryFolder();
  const file = join(folder, 'ws-gateway.json');
  const override = join(folder, 'ws-gateway.local.json');
  const stateDir = join(folder, 'state');
  mkdirSync(stateDir);
  writeFileSync(file, JSON.stringify({ stateDir, link: { url: 'wss://first' } }));
  writeFileSync(override, JSON.stringify(OLD));
  const start = () =>
    new LiveConfig<Addressed>(validate, { app: 'ws-gateway', args: ['--config', file], env: {} });
  /** No file can be made where the configuration writes what does not count. */
  const blocker = join(stateDir, `override-refused.json.${process.pid}.new`);
  const takesNoRecord = (refuses: boolean) => (refuses ? mkdirSync(blocker) : rmdirSync(blocker));
  return { folder, override, start, takesNoRecord, isStoreFull: false };
}

/** One life of the gateway, with the real store and configuration, cut off at `crash`. A link comes up to whoever is `reachable`. */
async function life(
  disk: ReturnType<typeof newDisk>,
  crash: Crash | undefined,
  { reachable, bootId }: { reachable: readonly string[]; bootId: string },
) {
  const mortal = new MortalLife(crash);
  const opened = await openQueue({ folder: join(disk.folder, 'store'), wallMs: Date.now });
  const queue = withCommits(opened, async (batch) => {
    if (disk.isStoreFull) throw new RejectedError('disk-full', 'no room');
    return mortal.durably(() => opened.commit(batch));
  });
  const live = disk.start();
  const own = new OwnOverride({
    live: Object.create(live, {
      ...Object.fromEntries(
        (['override', 'hash', 'setHash'] as const).map((name) => [name, { get: () => live[name] }]),
      ),
      judgeOverride: { value: live.judgeOverride.bind(live) },
      changeByOverride: { value: live.changeByOverride.bind(live) },
      takeOverride: {
        value: (...what: Parameters<typeof live.takeOverride>) =>
          mortal.durably(() => live.takeOverride(...what)),
      },
      forgetRefused: { value: live.forgetRefused.bind(live) },
      goBackToOverride: { value: live.goBackToOverride.bind(live) },
      refuseOverride: {
        value: (...what: Parameters<typeof live.refuseOverride>) =>
          mortal.durably(() => live.refuseOverride(...what)),
      },
    }) as typeof live,
    clock,
    log,
    restart: () => undefined,
  });
  const push: ConfigPush = new ConfigPush({
    queue,
    records: new ConfigRecords(queue),
    targets: {
      isHere: () => false,
      validate: never,
      apply: never,
      show: never,
      checkOverride: never,
      takeOverride: never,
    },
    desk: { report: never },
    events: new EventReporter({ queue, clock: systemClock, counters: new Counters(), log }),
    clock,
    // Stands still: how long a life takes is not what is tried here.
    now: () => ({ bootId, monotonicMs: 0 }),
    log,
    limits: () => ({ keepDocuments: 3, applyWithinMs: 1000, confirmWithinMs: 1000 }),
    renewLink: () => {
      push.link('connecting');
      if (reachable.includes(live.current.link.url)) setImmediate(() => push.link('online'));
    },
    stored: () => undefined,
    own,
    isEnrolled: () => true,
    lastLinkError: () => undefined,
    isHeld: () => false,
  });
  /** As `bowline config set` does it. */
  const set = async (override: object, confirmWithinMs: number) => {
    const tree = override as Record<string, unknown>;
    await mortal.durably(() => live.prepareOverride(tree));
    await mortal.durably(() => writeFileSync(disk.override, JSON.stringify(tree)));
    return push.override(live.readOverride(), { confirmWithinMs });
  };
  return {
    push,
    set,
    live,
    queue: opened,
    died: mortal.died,
    writes: () => mortal.writes,
    end: async () => {
      push.stop();
      mortal.dead = true;
      await turn();
      await opened.close();
    },
  };
}

const statuses = (queue: DurableQueue): unknown[] =>
  queue
    .read('events', 0, { messages: 100, bytes: 1e6 })
    .map(({ json }) => JSON.parse(json) as { payload: { kind?: string; data?: { status?: unknown } } })
    .filter(({ payload }) => payload.kind === 'config-override')
    .map(({ payload }) => payload.data?.status);

it.each([
  // A good address has all the time that the disk may need; a bad one is known at the end of its time.
  { to: 'wss://new', confirmWithinMs: 600_000 },
  { to: 'wss://nobody', confirmWithinMs: 100 },
])(
  'when everything stops before or after any durable write on the way to $to, after a restart or reboot the device has an address that a link has proven',
  async ({ to, confirmWithinMs }) => {
    const reachable = ['wss://old', 'wss://new'];
    const isGood = reachable.includes(to);
    const override = { link: { url: to } };
    const probe = await life(newDisk(), undefined, { reachable, bootId: 'boot-1' });
    await probe.push.start();
    expect(await probe.set(override, confirmWithinMs)).toMatchObject({
      status: isGood ? 'applied' : 'rolledBack',
      tried: true,
    });
    expect(probe.live.current.link.url).toBe(isGood ? to : 'wss://old');
    const all = probe.writes();
    await probe.end();
    // Prepared, written, begun, taken, kept; or failed, refused, ended.
    expect(all).toBeGreaterThanOrEqual(isGood ? 5 : 7);

    const runs = Array.from({ length: all }, (_, index) =>
      [true, false].map((before) => ({ at: index + 1, before })),
    );
    const left = runs.flat().values();
    // A few at a time: each waits for its link, and each commits to a disk that others use.
    await Promise.all(
      [1, 2, 3].map(async () => {
        for (const crash of left) await tryOne(crash);
      }),
    );

    async function tryOne(crash: Crash): Promise<void> {
      const disk = newDisk();
      const first = await life(disk, crash, { reachable, bootId: 'boot-1' });
      await first.push.start();
      const whole = first.set(override, confirmWithinMs);
      await Promise.race([first.died, whole]);
      await first.end();

      const second = await life(disk, undefined, { reachable, bootId: crash.before ? 'boot-1' : 'boot-2' });
      await second.push.start();
      const state = () => second.queue.config('state') as { step: { phase: string } } | undefined;
      const hasEnded = () => state()?.step.phase === 'settled' && statuses(second.queue).length > 0;
      await waitFor(() => state() === undefined || hasEnded(), { what: 'the end' });
      const ended = statuses(second.queue);
      const inForce = second.live.current.link.url;
      await second.end();
      // Kept only if it was proven, and told of once; and so it stays, whoever starts next.
      const kept = ended[0] === 'applied';
      expect({ crash, inForce, ended: ended.length <= 1 }).toEqual({
        crash,
        inForce: kept ? to : 'wss://old',
        ended: true,
      });
      expect(kept && !isGood).toBe(false);
      const next = disk.start();
      expect(next.current.link.url).toBe(inForce);
      const written = JSON.parse(readFileSync(disk.override, 'utf8')) as typeof OLD;
      expect(next.refused !== undefined).toBe(written.link.url !== inForce);
    }
  },
);

const UNREACHABLE = { link: { url: 'wss://nobody' } };

it.each([
  ['takes no record of it', 'returning'],
  ['has a full store', 'applying'],
])(
  'when a trial fails on a disk that %s, the proven address is in force at once, also after a reboot, and the rest when there is room',
  async (what, phase) => {
    const disk = newDisk();
    const fill = (isFull: boolean) => {
      if (phase === 'applying') disk.isStoreFull = isFull;
      else disk.takesNoRecord(isFull);
    };
    const phaseIn = ({ queue }: { queue: DurableQueue }) =>
      (queue.config('state') as { step: { phase: string } }).step.phase;
    const first = await life(disk, undefined, { reachable: ['wss://old'], bootId: 'boot-1' });
    await first.push.start();
    void first.set(UNREACHABLE, 100);
    await waitFor(() => first.live.current.link.url === 'wss://nobody', { what: 'the trial' });
    fill(true);
    await waitFor(() => first.live.current.link.url === 'wss://old', { what: `the way back: it ${what}` });
    await waitFor(() => phaseIn(first) === phase, { what: phase });
    await first.end();

    const second = await life(disk, undefined, { reachable: ['wss://old'], bootId: 'boot-2' });
    expect(second.live.current.link.url).toBe('wss://nobody'); // nothing durable says otherwise
    const started = second.push.start();
    await waitFor(() => second.live.current.link.url === 'wss://old', { what: 'the way back' });
    fill(false);
    await started;
    await waitFor(() => statuses(second.queue).includes('rolledBack'), { what: 'the end' });
    expect([phaseIn(second), statuses(second.queue).length]).toEqual(['settled', 1]);
    await second.end();
    const next = disk.start();
    expect([next.current.link.url, next.refused]).toEqual(['wss://old', expect.any(String)]);
  },
);

it('when what failed is written back and much later by hand again, it counts at the next start', async () => {
  const disk = newDisk();
  const gateway = await life(disk, undefined, { reachable: ['wss://old'], bootId: 'boot-1' });
  await gateway.push.start();
  expect(await gateway.set(UNREACHABLE, 100)).toMatchObject({ status: 'rolledBack' });
  gateway.push.link('online'); // before it is written back
  expect(disk.start().current.link.url).toBe('wss://old');
  writeFileSync(disk.override, JSON.stringify(OLD));
  gateway.push.link('online');
  await gateway.end();
  writeFileSync(disk.override, JSON.stringify(UNREACHABLE));
  const next = disk.start();
  expect([next.current.link.url, next.refused]).toEqual(['wss://nobody', undefined]);
});
