import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { killByPid, waitFor } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ExecutorProcess } from './testing/executor-process.ts';
import { LocalProgram } from './testing/local-program.ts';
import type { HandedOrder } from './testing/test-gateway.ts';

const EXAMPLES = join(import.meta.dirname, '../../../docs/examples');
/** Long ones, for machines that are busy; a test that waits for one of them says its own. */
const LIMITS = {
  returnMs: 60_000,
  stopWithinMs: 60_000,
  maxPrograms: 3,
  maxCommands: 3,
  registerWithinMs: 60_000,
};

let device: ExecutorProcess;
let path: string;
let programs: LocalProgram[];
beforeEach(() => use());
afterEach(async () => {
  for (const program of programs) program.leave();
  await device.end();
});

async function use(limits: object = {}): Promise<void> {
  prepare(limits);
  await device.openGateway();
  device.start();
}

function prepare(limits: object): void {
  device = new ExecutorProcess({});
  path = join(device.folder, 'commands-socket', 's');
  device.configure({ commandSocket: { path, ...LIMITS, ...limits } });
  programs = [];
  device.policy({ fill: {}, again: {}, ping: {}, listCommands: {}, work: {}, third: {}, fourth: {} });
}

/** Its group is let in once it listens. */
const isListening = (): boolean => ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o777) === 0o660;

async function connect(): Promise<LocalProgram> {
  await waitFor(isListening, { what: 'the command socket' });
  const program = new LocalProgram(path);
  programs.push(program);
  return program;
}
const command = (name: string, more: object = {}) => ({
  name,
  description: name,
  idempotent: false,
  params: { type: 'object', properties: { litres: { type: 'integer' } } },
  ...more,
});
const statusesOf = ({ orderId }: HandedOrder) =>
  device.gateway?.reports.filter((each) => each.orderId === orderId).map(({ status }) => status);
const attemptsOf = ({ orderId }: HandedOrder) =>
  device.gateway?.reports
    .filter((each) => each.orderId === orderId && each.status === 'started')
    .map(({ attempt }) => attempt);
const gone = (program: LocalProgram) => waitFor(() => program.closed, { what: 'the connection to end' });

describe('a program of the device', () => {
  test('when it registers a command, orders reach it with params and deadline, and its progress and result are told', async () => {
    const program = await connect();
    expect(await program.register(command('fill', { timeoutMs: 9000 }))).toEqual({
      type: 'registered',
      name: 'fill',
    });
    const order = await device.hand(device.order('fill', { litres: 3 }));
    const run = await program.hears('run');
    expect(run).toMatchObject({ orderId: order.orderId, name: 'fill', params: { litres: 3 }, attempt: 1 });
    expect(run.timeoutMs).toBeGreaterThan(1000);
    expect(run.timeoutMs).toBeLessThanOrEqual(9000);
    expect(Math.abs((run.deadline ?? 0) - Date.now() - (run.timeoutMs ?? 0))).toBeLessThan(9000);
    program.say({ type: 'progress', orderId: order.orderId, percent: 50, note: 'half', more: 'ignored' });
    program.say({ type: 'result', orderId: order.orderId, result: { litres: 3 } });
    expect(await device.ended(order)).toMatchObject({ status: 'succeeded', result: { litres: 3 } });
    expect(device.gateway?.progress).toEqual([{ orderId: order.orderId, percent: 50, note: 'half' }]);
    const list = await device.outcome(device.order('listCommands', { names: ['fill'] }));
    expect(list.result).toMatchObject({ commands: [{ name: 'fill', origin: 'program', allowed: true }] });
  });

  test('when it fails, or its params or its result break its schemas, the order says so', async () => {
    const program = await connect();
    await program.register(command('fill', { result: { type: 'integer' } }));
    expect(await device.outcome(device.order('fill', { litres: 'a' }))).toMatchObject({
      status: 'rejected',
      error: { code: 'invalid-params', message: 'params/litres must be integer' },
    });
    const failing = await device.hand(device.order('fill'));
    await program.hears('run');
    program.say({ type: 'failure', orderId: failing.orderId, message: 'no water' });
    expect(await device.ended(failing)).toMatchObject({
      status: 'failed',
      error: { code: 'command-failed', message: 'no water' },
    });
    const wrong = await device.hand(device.order('fill'));
    await program.hears('run');
    program.say({ type: 'result', orderId: wrong.orderId, result: 'much' });
    expect(await device.ended(wrong)).toMatchObject({ error: { code: 'invalid-result' } });
  });

  test.each([
    ['is built in', 'ping', {}, 'name-taken', /built-in/],
    ['is a plug-in', 'work', {}, 'name-taken', /plug-in/],
    ['is in no policy', 'secret', {}, 'not-allowed', /policy\.json does not allow secret/],
    ['has a misspelt member', 'fill', { idempotnet: true }, 'invalid', /did you mean "idempotent"/],
    ['has a schema that is none', 'fill', { params: { type: 'objekt' } }, 'invalid', /schema of fill/],
    ['wants another user', 'fill', { user: 'root' }, 'invalid', /user/],
  ])(
    'when its command %s, it is refused with the reason and may try again',
    async (_, name, more, code, why) => {
      device.plugIn('work', 'echo 1');
      const program = await connect();
      await device.outcome(device.order('ping'));
      expect(await program.register(command(name, more))).toMatchObject({
        type: 'refused',
        name,
        code,
        message: expect.stringMatching(why),
      });
      expect(await program.register(command('fill'))).toMatchObject({ type: 'registered' });
    },
  );

  test('when another has the name already, it is refused; when that one leaves, the name is free', async () => {
    const [first, second] = [await connect(), await connect()];
    await first.register(command('fill'));
    expect(await second.register(command('fill'))).toMatchObject({ type: 'refused', code: 'name-taken' });
    first.say({ type: 'unregister', name: 'fill' });
    await first.hears('unregistered');
    expect(await second.register(command('fill'))).toMatchObject({ type: 'registered' });
    expect(await device.outcome(device.order('work'))).toMatchObject({ error: { code: 'unknown-command' } });
  });

  test('when the policy forbids its command later on, orders are refused though it is connected', async () => {
    const program = await connect();
    await program.register(command('fill'));
    device.policy({ ping: {} });
    expect(await device.outcome(device.order('fill'))).toMatchObject({
      status: 'rejected',
      error: { code: 'not-allowed' },
    });
    expect(program.said.some(({ type }) => type === 'run')).toBe(false);
  });

  test('when its manifest asks for a signature, an order without one is refused', async () => {
    const program = await connect();
    await program.register(command('fill', { policy: { signed: true } }));
    expect(await device.outcome(device.order('fill'))).toMatchObject({ error: { code: 'signature-needed' } });
  });
});

describe('a program that goes away', () => {
  test('when it was at work on what must not run again, the order ends indeterminate', async () => {
    const program = await connect();
    await program.register(command('fill'));
    const order = await device.hand(device.order('fill'));
    await program.hears('run');
    program.leave();
    expect(await device.ended(order)).toMatchObject({
      status: 'indeterminate',
      error: { code: 'effect-unknown', message: expect.stringContaining('went away while it was at work') },
    });
  });

  test('when it was at work on what may run again and comes back, it gets the order as the next attempt', async () => {
    const program = await connect();
    await program.register(command('again', { idempotent: true }));
    const order = await device.hand(device.order('again'));
    await program.hears('run');
    program.leave();
    const next = await connect();
    await next.register(command('again', { idempotent: true }));
    expect(await next.hears('run')).toMatchObject({ orderId: order.orderId, attempt: 2 });
    next.say({ type: 'result', orderId: order.orderId, result: 'done' });
    expect(await device.ended(order)).toMatchObject({ status: 'succeeded', result: 'done' });
    expect(attemptsOf(order)).toEqual([1, 2]);
  });

  test('when it does not come back, the order that may run again ends indeterminate, and its command is gone', async () => {
    await device.end();
    await use({ returnMs: 300 });
    const program = await connect();
    await program.register(command('again', { idempotent: true }));
    await waitFor(() => device.gateway?.idempotent().includes('again'), {
      what: 'the gateway to hear of it',
    });
    const order = await device.hand(device.order('again'));
    await program.hears('run');
    program.leave();
    expect(await device.ended(order)).toMatchObject({
      status: 'indeterminate',
      error: { message: expect.stringContaining('did not come back') },
    });
    expect(await device.outcome(device.order('again'))).toMatchObject({ error: { code: 'unknown-command' } });
    await waitFor(() => device.gateway?.idempotent().includes('again') === false);
    expect(JSON.parse(readFileSync(join(device.folder, 'state/programs.json'), 'utf8'))).toEqual([]);
  });

  test('when an order comes while it is away, others go on, and the order waits for its return', async () => {
    await device.end();
    await use({ returnMs: 60_000 });
    const program = await connect();
    await program.register(command('fill'));
    program.leave();
    await device.process?.output(/went away/);
    const waiting = [1, 2, 3, 4, 5].map(() => device.order('fill'));
    for (const order of waiting) await device.hand(order);
    expect(await device.outcome(device.order('ping'))).toMatchObject({ status: 'succeeded' });
    expect(waiting.flatMap(statusesOf)).toEqual([]);
    const list = await device.outcome(device.order('listCommands', { names: ['fill'] }));
    expect(list.result).toMatchObject({ commands: [{ name: 'fill', origin: 'program', away: true }] });
    const next = await connect();
    await next.register(command('fill'));
    for (const order of waiting) {
      await next.hears('run');
      next.say({ type: 'result', orderId: order.orderId, result: null });
    }
    for (const order of waiting) expect(await device.ended(order)).toMatchObject({ status: 'succeeded' });
  });

  test('when the executor is killed, orders wait for the program in its next life, too', async () => {
    await device.end();
    await use({ returnMs: 60_000 });
    const program = await connect();
    await program.register(command('again', { idempotent: true }));
    const order = await device.hand(device.order('again'));
    await program.hears('run');
    await device.process?.kill('SIGKILL');
    await device.gateway?.close();
    await device.openGateway();
    device.start();
    await device.hand({ ...order, state: 'started', attempt: 1 });
    expect(await device.outcome(device.order('ping'))).toMatchObject({ status: 'succeeded' });
    expect(statusesOf(order)).toEqual([]);
    const next = await connect();
    await next.register(command('again', { idempotent: true }));
    expect(await next.hears('run')).toMatchObject({ orderId: order.orderId, attempt: 2 });
    next.say({ type: 'result', orderId: order.orderId, result: 1 });
    expect(await device.ended(order)).toMatchObject({ status: 'succeeded', result: 1 });
  });
});

describe('a program that is told to stop', () => {
  test.each([
    ['its order is cancelled', {}, 'cancelled', 'cancelled'],
    ['its time is over', { timeoutMs: 300 }, 'timed-out', 'failed'],
  ])('when %s and it answers, the order ends so and it goes on', async (_, more, reason, status) => {
    const program = await connect();
    await program.register(command('fill', more));
    const order = await device.hand(device.order('fill'));
    await program.hears('run');
    if (reason === 'cancelled') await device.gateway?.cancel(order.orderId);
    expect(await program.hears('cancel')).toMatchObject({ orderId: order.orderId, reason });
    program.say({ type: 'failure', orderId: order.orderId, message: 'stopped' });
    expect(await device.ended(order)).toMatchObject({ status, error: { code: reason } });
    program.say({ type: 'result', orderId: order.orderId, result: 'late' });
    expect(await program.hears('error')).toMatchObject({ code: 'unknown-order' });
    expect(program.closed).toBe(false);
  });

  test('when its order is cancelled and it answers with a result, the order has succeeded', async () => {
    const program = await connect();
    await program.register(command('fill'));
    const order = await device.hand(device.order('fill'));
    await program.hears('run');
    expect(await device.gateway?.cancel(order.orderId)).toEqual({ outcome: 'stopping' });
    await program.hears('cancel');
    program.say({ type: 'result', orderId: order.orderId, result: { litres: 3 } });
    expect(await device.ended(order)).toMatchObject({ status: 'succeeded', result: { litres: 3 } });
  });

  test('when it does not answer, the order ends indeterminate and the program is let go of', async () => {
    await device.end();
    await use({ stopWithinMs: 300 });
    const program = await connect();
    await program.register(command('fill', { timeoutMs: 300 }));
    const order = await device.hand(device.order('fill'));
    expect(await device.ended(order)).toMatchObject({
      status: 'indeterminate',
      error: { code: 'effect-unknown', message: expect.stringContaining('did not answer') },
    });
    expect(await program.hears('error')).toMatchObject({ code: 'silent' });
    await gone(program);
  });
});

describe('the command socket', () => {
  test('when it is made, its mode and its folder let in the group and nobody else', async () => {
    await connect();
    expect(statSync(path).mode & 0o777).toBe(0o660);
    expect(statSync(join(path, '..')).mode & 0o027).toBe(0);
  });

  test('when its folder may be written by others, that is reported, other commands go on, and it comes when that is mended', async () => {
    await device.end();
    device = new ExecutorProcess({});
    path = join(device.folder, 'open', 's');
    mkdirSync(join(path, '..'), { mode: 0o777 });
    chmodSync(join(path, '..'), 0o777);
    device.configure({ commandSocket: { path } });
    await device.openGateway();
    device.start();
    expect(await device.outcome(device.order('ping'))).toMatchObject({ status: 'succeeded' });
    await waitFor(() => device.gateway?.events.includes('command-socket-unusable'));
    chmodSync(join(path, '..'), 0o750);
    await waitFor(() => existsSync(path), { what: 'the socket' });
  });

  test.each([
    ['is no JSON', 'nonsense\n', 'broken-json'],
    ['is of no known type', { type: 'reboot' }, 'unsupported'],
    ['lacks a member', { type: 'result', result: 1 }, 'invalid'],
    ['is about no order', { type: 'result', orderId: 'x', result: 1 }, 'unknown-order'],
    ['takes away what it has not', { type: 'unregister', name: 'fill' }, 'unknown-command'],
  ])('when a message %s, the program is told, and nothing else happens', async (_, message, code) => {
    const program = await connect();
    program.say(message);
    expect(await program.hears('error')).toMatchObject({ code });
    expect(await program.register(command('fill'))).toMatchObject({ type: 'registered' });
  });

  test('when a line does not end, the program is let go of and told why', async () => {
    await device.end();
    await use({ lineChars: 1024 });
    const program = await connect();
    program.say(`${'x'.repeat(5000)}\n`);
    expect(await program.hears('error')).toMatchObject({ code: 'too-large' });
    await gone(program);
  });

  test('when a program says more of its command than is kept, it is refused with both figures and may try again', async () => {
    await device.end();
    await use({ registrationChars: 2000 });
    const program = await connect();
    const long = command('fill', { params: { type: 'object', description: 'x'.repeat(2000) } });
    expect(await program.register(long)).toEqual({
      type: 'refused',
      name: 'fill',
      code: 'registration-too-large',
      message: expect.stringMatching(/has 20\d\d characters, and may have 2000: .*registrationChars/),
      retryable: false,
    });
    const named = await program.register(command('n'.repeat(800)));
    expect(named).toMatchObject({ code: 'invalid', name: 'n'.repeat(117) });
    expect(await program.register(command('fill'))).toMatchObject({ type: 'registered' });
  });

  test('when there are too many programs or commands, the next are refused and those that are there stay', async () => {
    const first = await connect();
    for (const name of ['fill', 'again', 'third']) await first.register(command(name));
    expect(await first.register(command('fourth'))).toMatchObject({ code: 'too-many-commands' });
    const others = [await connect(), await connect()];
    for (const other of others) {
      other.say('nonsense\n');
      await other.hears('error');
    }
    const fourth = await connect();
    expect(await fourth.hears('error')).toMatchObject({ code: 'too-many-programs' });
    await gone(fourth);
    expect([first, ...others].map(({ closed }) => closed)).toEqual([false, false, false]);
  });

  test('when a program registers nothing, it is let go of and told why', async () => {
    await device.end();
    await use({ registerWithinMs: 300 });
    const program = await connect();
    expect(await program.hears('error')).toMatchObject({ code: 'nothing-registered' });
    await gone(program);
  });

  test('when a program talks without end, orders are answered all the same', async () => {
    const program = await connect();
    await program.register(command('fill'));
    program.say('{"type":"unregister","name":"x"}\n'.repeat(20_000));
    expect(await device.outcome(device.order('ping'))).toMatchObject({ status: 'succeeded' });
    await program.hears('error');
    expect(program.said.length).toBeLessThan(10_000);
  });

  test('when a program does not read, it is let go of', async () => {
    await device.end();
    await use({ unreadBytes: 65_536, returnMs: 300 });
    const program = await connect();
    await program.register(command('fill', { params: { type: 'object' } }));
    program.socket.pause();
    const params = { text: 'x'.repeat(100_000) };
    const orders = [];
    for (let index = 0; index < 12; index += 1) orders.push(await device.hand(device.order('fill', params)));
    await device.process?.output(/does not read/);
    const ends = await Promise.all(orders.slice(0, 4).map((order) => device.ended(order)));
    expect(ends.map(({ status }) => status)).toContain('indeterminate');
    for (const { error } of ends) expect(error?.code).toMatch(/^(effect-unknown|program-away)$/);
  });
});

describe('the examples of the guide', () => {
  test.each([
    ['Python', 'python3', 'command.py'],
    ['Node', process.execPath, 'command.mjs'],
  ])(
    'when the one in %s runs, its command is carried out, also after the executor was restarted',
    async (_, program, file) => {
      await device.end();
      prepare({ returnMs: 60_000 });
      device.policy({ fillTank: {}, ping: {} });
      const example = spawn(program, [join(EXAMPLES, file), path], { stdio: 'ignore' });
      try {
        // It waits for the executor, not the executor for it.
        await once(example, 'spawn');
        await device.openGateway();
        device.start();
        const known = () => existsSync(join(device.folder, 'state/programs.json'));
        await waitFor(known, { what: 'the command of the example' });
        const filled = { status: 'succeeded', result: { litres: 2 } };
        expect(await device.outcome(device.order('fillTank', { litres: 2 }))).toMatchObject(filled);
        expect(device.gateway?.progress.length).toBeGreaterThan(0);
        await device.process?.kill('SIGTERM');
        await device.gateway?.close();
        await device.openGateway();
        device.start();
        expect(await device.outcome(device.order('fillTank', { litres: 2 }))).toMatchObject(filled);
      } finally {
        killByPid(example.pid);
      }
    },
  );
});
