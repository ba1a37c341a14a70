import { mkdirSync, readFileSync, readdirSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ownCgroup } from '@bowline/runtime';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ControlGroups, groupPrefix } from './adapters/programs/control-group.ts';
import { ExecutorProcess } from './testing/executor-process.ts';
import { LocalProgram } from './testing/local-program.ts';
import type { HandedOrder } from './testing/test-gateway.ts';

const DIE_AT = join(import.meta.dirname, 'testing/die-at.ts');

let device: ExecutorProcess;
let effects: string;
beforeEach(() => use());
afterEach(() => device.end());

async function use(config: Record<string, unknown> = {}): Promise<void> {
  device = new ExecutorProcess(config);
  effects = join(device.folder, 'effects');
  await device.openGateway();
}
const countEffects = (): number => {
  try {
    return readFileSync(effects, 'utf8').split('\n').filter(Boolean).length;
  } catch {
    return 0;
  }
};
/** As the gateway does after a restart of the app: what it has as `started` is handed over as that. */
async function nextLife(order: HandedOrder): Promise<Awaited<ReturnType<ExecutorProcess['ended']>>> {
  const hadStarted = device.gateway?.reports.some(({ status }) => status === 'started') === true;
  await device.gateway?.close();
  await device.openGateway();
  device.start();
  return device.outcome(hadStarted ? { ...order, state: 'started', attempt: 1 } : order);
}

/** Pids of whatever an order has started and that still runs. */
const programsOf = ({ orderId }: HandedOrder): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`BOWLINE_ORDER_ID=${orderId}\0`);
    } catch {
      return false; // no process, or it has just ended
    }
  });

const probe = new ControlGroups(temporaryFolder());
/** Where this machine lets us make control groups. */
const groupBase = probe.make('probe') === undefined ? undefined : ownCgroup();
probe.sweep();

/** Each moment at which something becomes durable, and how often the effect has taken place by then. */
const MOMENTS = [
  ['before its run is recorded', 'rename-before /runs/', 0],
  ['after its run is recorded', 'rename-after /runs/', 0],
  ['before the record is removed', 'remove-before .json', 1],
  ['after the record is removed', 'remove-after .json', 1],
] as const;

describe('an executor that is killed', () => {
  describe.each(MOMENTS)('%s', (_, dieAt, before) => {
    test.each([
      [true, 'succeeded', before + 1],
      [false, 'indeterminate', before],
    ] as const)(
      'when the command may run again: %s, the order is %s and its effect is there as often as it may',
      async (idempotent, status, count) => {
        device.plugIn('work', `echo done >>${effects}`, { idempotent });
        device.policy({ work: {} });
        const first = device.start(['--import', DIE_AT], { DIE_AT: dieAt });
        const order = device.order('work');
        await device.hand(order).catch(() => undefined); // it may end before it has answered
        await first.exited;
        expect(countEffects()).toBe(before);
        expect(await nextLife(order)).toMatchObject({ status });
        expect(countEffects()).toBe(count);
        expect(readdirSync(join(device.folder, 'state', 'runs'))).toEqual([]);
      },
    );
  });

  test.each([
    [true, { status: 'succeeded', result: 2 }],
    [
      false,
      {
        status: 'indeterminate',
        error: { message: expect.stringMatching(/its program still ran \(\d+ processes\) and was ended/) },
      },
    ],
  ] as const)(
    'when its program still runs (may run again: %s), the next life ends it before anything else and tells so',
    async (idempotent, end) => {
      const beat = join(device.folder, 'beat');
      device.plugIn(
        'work',
        `trap '' TERM; [ -e ${effects} ] && echo 2 && exit; echo begun >>${effects}; (setsid sh -c 'while :; do echo x >>${beat}; sleep 0.05; done' &) ; sleep 1000`,
        { idempotent },
      );
      device.policy({ work: {} });
      const first = device.start();
      const order = await device.hand(device.order('work'));
      await waitFor(() => countEffects() === 1, { what: 'the effect to begin' });
      await first.kill('SIGKILL');
      expect(await nextLife(order)).toMatchObject(end);
      expect(programsOf(order)).toEqual([]);
    },
  );

  test('when a command that may run again kills it each time, its order ends after three runs', async () => {
    device.plugIn('work', `echo done >>${effects}; kill -9 $PPID; sleep 1000`, { idempotent: true });
    device.policy({ work: {}, ping: {} });
    const order = device.order('work');
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const life = device.start();
      const state = attempt === 0 ? 'received' : 'started';
      await device.hand({ ...order, state, attempt }).catch(() => undefined); // it may end before it has answered
      expect(await life.exited).toMatchObject({ signal: 'SIGKILL' });
      await device.gateway?.close();
      await device.openGateway();
    }
    device.start();
    expect(await device.outcome({ ...order, state: 'started', attempt: 3 })).toMatchObject({
      status: 'indeterminate',
      error: { code: 'interrupted', message: expect.stringMatching(/begun 3 times/) },
    });
    expect(countEffects()).toBe(3);
    expect(programsOf(order)).toEqual([]);
    expect(await device.outcome(device.order('ping'))).toMatchObject({ status: 'succeeded' });
  });

  test.each([
    ['started', 'received', true, 'succeeded', 1],
    ['started', 'received', false, 'succeeded', 1],
    ['started', 'started', true, 'succeeded', 1],
    ['started', 'started', false, 'indeterminate', 0],
    ['succeeded', 'started', true, 'succeeded', 2],
    ['succeeded', 'started', false, 'indeterminate', 1],
  ] as const)(
    'when its report of %s was on its way and the journal says %s (may run again: %s), the order is %s after %i effects',
    async (report, state, idempotent, status, count) => {
      await device.gateway?.close();
      const hanging = (each: { status: string }) =>
        each.status === report ? new Promise<void>(() => {}) : Promise.resolve();
      await device.openGateway({ onReport: hanging });
      device.plugIn('work', `echo done >>${effects}`, { idempotent });
      device.policy({ work: {} });
      const first = device.start();
      const order = await device.hand(device.order('work'));
      await device.gateway?.reported(order.orderId, report);
      await first.kill('SIGKILL');
      await device.gateway?.close();
      await device.openGateway();
      device.start();
      const again = { ...order, state, attempt: state === 'started' ? 1 : 0 };
      expect(await device.outcome(again)).toMatchObject({ status });
      expect(countEffects()).toBe(count);
    },
  );

  test.each(['before', 'after'])(
    'when it is killed %s the command of a program is written down, the program registers again and is asked',
    async (moment) => {
      const path = join(device.folder, 'commands-socket', 's');
      device.configure({ commandSocket: { path } });
      device.policy({ fill: {} });
      const command = { name: 'fill', description: 'x', idempotent: true };
      const register = async () => {
        const mode = () => (statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o777;
        await waitFor(() => mode() === 0o660, { what: 'the command socket' });
        const program = new LocalProgram(path);
        program.say({ type: 'register', command });
        return program;
      };
      const first = device.start(['--import', DIE_AT], { DIE_AT: `rename-${moment} programs.json` });
      const killed = await register();
      await first.exited;
      expect(killed.said).toEqual([]);
      rmSync(path, { force: true });
      const order = device.order('fill');
      device.start();
      const program = await register();
      await program.hears('registered');
      await device.hand(order);
      await program.hears('run');
      program.say({ type: 'result', orderId: order.orderId, result: 1 });
      expect(await device.ended(order)).toMatchObject({ status: 'succeeded' });
      program.leave();
    },
  );

  test.runIf(groupBase !== undefined)(
    'when it had made a control group and no record of its run, the next life removes the group, and no other executor’s',
    async () => {
      const base = groupBase ?? '';
      const own = groupPrefix(join(device.folder, 'state'));
      const others = join(base, `${groupPrefix(join(device.folder, 'of another'))}its-run`);
      const ownGroups = () => readdirSync(base).filter((name) => name.startsWith(own));
      mkdirSync(others);
      try {
        device.plugIn('work', `echo done >>${effects}`, { idempotent: true });
        device.policy({ work: {} });
        const first = device.start(['--import', DIE_AT], { DIE_AT: 'rename-before /runs/' });
        const order = device.order('work');
        await device.hand(order).catch(() => undefined);
        await first.exited;
        expect(ownGroups()).toHaveLength(1);
        expect(await nextLife(order)).toMatchObject({ status: 'succeeded' });
        expect(ownGroups()).toEqual([]);
        expect(readdirSync(others)).not.toEqual([]);
      } finally {
        rmdirSync(others);
      }
    },
  );
});

describe('an upload of diagnostics', () => {
  const parts = () => device.gateway?.parts ?? [];
  beforeEach(async () => {
    await device.end();
    // As root it writes much; what it says is another thing in each life.
    const journal = ['/bin/sh', '-c', 'echo of $$; yes "$(date +%s%N)" | head -c 100000'];
    await use({ programs: { journal } });
    device.policy({ collectDiagnostics: {} });
  });

  test.each([
    ['before its text is kept', 'rename-before .bundle', 0],
    ['after its text is kept', 'rename-after .bundle', 0],
    ['before it is noted where it begins', 'rename-before .progress', 0],
    ['after it is noted where it begins', 'rename-after .progress', 0],
    ['before it is noted that a part is taken', 'rename-before .progress 2', 1],
    ['after it is noted that a part is taken', 'rename-after .progress 2', 1],
  ])('when it is killed %s, the parts of both lives make one text', async (_, dieAt, taken) => {
    const first = device.start(['--import', DIE_AT], { DIE_AT: dieAt });
    const order = device.order('collectDiagnostics');
    await device.hand(order).catch(() => undefined);
    await first.exited;
    const before = parts();
    expect(before).toHaveLength(taken);
    expect(await nextLife(order)).toMatchObject({ status: 'succeeded' });
    const after = parts();
    const isTold = dieAt.startsWith('rename-after') ? taken : 0;
    expect(after.map(({ part }) => part)).toEqual(after.map((__, index) => index + isTold));
    // The one that may have been taken twice has one id.
    expect(before.slice(isTold).map(({ id }) => id)).toEqual(
      after.slice(0, taken - isTold).map(({ id }) => id),
    );
    const whole = [...before.slice(0, isTold), ...after].map(({ data }) => Buffer.from(data, 'base64'));
    const { journal } = JSON.parse(gunzipSync(Buffer.concat(whole)).toString()) as { journal: string };
    expect(journal).toMatch(/^of \d+\n(\d+\n)\1+/);
    expect(after.at(-1)?.last).toBe(true);
  });
});

describe('an order to reboot', () => {
  const rebootBy = async (script: string, config = {}) => {
    await device.end();
    // Its own folder is known only when it is there: TMPDIR is one of the variables that a program inherits.
    await use({ programs: { reboot: ['/bin/sh', '-c', `cd "$TMPDIR"; ${script}`] }, ...config });
    device.policy({ reboot: {} });
  };
  beforeEach(() => rebootBy('echo down >>effects'));
  const noteFile = () => join(device.folder, 'state', 'notes.json');

  test.each([
    ['before', 'rename-before notes.json'],
    ['after', 'rename-after notes.json'],
  ])(
    'when it is killed %s it has noted which boot this is, nothing was started and nothing happened',
    async (_, dieAt) => {
      const first = device.start(['--import', DIE_AT], { DIE_AT: dieAt });
      await device.hand(device.order('reboot')).catch(() => undefined); // it ends before it can answer
      await first.exited;
      expect([device.gateway?.reports, countEffects()]).toEqual([[], 0]);
    },
  );

  test('when the machine comes up with another boot id, it has succeeded and nobody reboots it again', async () => {
    const first = device.start();
    const order = await device.hand(device.order('reboot'));
    await waitFor(() => countEffects() === 1, { what: 'the reboot' });
    await first.kill('SIGKILL');
    // What a reboot changes: the boot that was noted is not this one any more.
    const [kept] = JSON.parse(readFileSync(noteFile(), 'utf8')) as [{ note: { bootId: string } }];
    kept.note.bootId = 'of the boot before';
    writeFileSync(noteFile(), JSON.stringify([kept]));
    expect(await nextLife(order)).toMatchObject({
      status: 'succeeded',
      result: { previousBootId: 'of the boot before', tookMs: expect.any(Number), clock: 'device' },
    });
    expect(countEffects()).toBe(1);
  });

  test('when the boot is still the same, the reboot did not take place and is had again', async () => {
    const first = device.start();
    const order = await device.hand(device.order('reboot'));
    await waitFor(() => countEffects() === 1, { what: 'the reboot' });
    await first.kill('SIGKILL');
    await device.gateway?.close();
    await device.openGateway();
    device.start();
    await device.hand({ ...order, state: 'started', attempt: 1 });
    await waitFor(() => countEffects() === 2, { what: 'the second try' });
    expect(device.gateway?.reports).toMatchObject([{ status: 'started', attempt: 2 }]);
  });

  test('when the system stops this app in its course, the app does not wait for it and its program goes on', async () => {
    await rebootBy('echo begun >>effects; sleep 1; echo down >>effects', { stopGraceMs: 60_000 });
    const first = device.start();
    await device.hand(device.order('reboot'));
    await waitFor(() => countEffects() === 1, { what: 'the reboot to begin' });
    expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    await waitFor(() => countEffects() === 2, { what: 'the rest of it' });
    expect(device.gateway?.reports.map(({ status }) => status)).toEqual(['started']);
  });
});
