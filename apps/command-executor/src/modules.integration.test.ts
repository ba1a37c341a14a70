import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ExecutorProcess } from './testing/executor-process.ts';
import type { Report } from './testing/test-gateway.ts';

let device: ExecutorProcess;
beforeEach(async () => {
  device = new ExecutorProcess();
  await device.openGateway();
  device.policy({ ping: {}, listCommands: {}, double: {}, bad: {}, other: {} });
});
afterEach(() => device.end());

interface Module {
  name?: string;
  more?: string;
  run: string;
}
/** A module in TypeScript, with types that Node has to strip. */
const moduleText = ({ name = 'double', more = '', run }: Module): string => `
import { defineCommand, type CommandContext } from '@bowline/command';
interface Params { n: number }
export default defineCommand<Params>({
  name: ${JSON.stringify(name)},
  description: 'a module',
  idempotent: true,
  params: { type: 'object', properties: { n: { type: 'integer' } } },
  ${more}
  async run({ n }: Params, context: CommandContext): Promise<unknown> { ${run} },
});
`;
const write = (file: string, module: Module | string): void =>
  writeFileSync(join(device.modulesFolder, file), typeof module === 'string' ? module : moduleText(module));
const broken = async (): Promise<{ name: string; why: string }[]> => {
  const { result } = await device.outcome(device.order('listCommands', { names: ['double'] }));
  return (result as { broken?: { name: string; why: string }[] }).broken ?? [];
};
const ordered = (n = 1): Promise<Report> => device.outcome(device.order('double', { n }));
const ENDLESS = 'for (;;);';
const DOUBLE = { run: 'return { doubled: n * 2 };' };

describe('a command module in TypeScript', () => {
  test('when it is ordered, it gets params, order and deadline, and its progress, log and result are told', async () => {
    write('double.ts', {
      more: "timeoutMs: 5000, result: { type: 'object', required: ['doubled'] },",
      run: `context.progress({ percent: 50 }); context.log('thinking'); console.log('aloud');
        return { doubled: n * 2, orderId: context.orderId, attempt: context.attempt, inTime: context.timeoutMs <= 5000 };`,
    });
    const executor = device.start();
    const order = device.order('double', { n: 4 });
    expect(await device.outcome(order)).toMatchObject({
      status: 'succeeded',
      result: { doubled: 8, orderId: order.orderId, attempt: 1, inTime: true },
    });
    expect(device.gateway?.progress).toEqual([{ orderId: order.orderId, percent: 50 }]);
    await executor.output(/"output":"thinking"/);
    await executor.output(/"output":"aloud"/);
    const list = await device.outcome(device.order('listCommands', { names: ['double'] }));
    expect(list.result).toMatchObject({ commands: [{ name: 'double', origin: 'module', timeoutMs: 5000 }] });
    expect(await device.outcome(device.order('double', { n: 'a' }))).toMatchObject({
      error: { code: 'invalid-params', message: 'params/n must be integer' },
    });
  });

  test('when it is changed, added or removed, that counts at once and nothing is restarted', async () => {
    write('double.ts', DOUBLE);
    const { pid } = device.start();
    expect(await ordered(2)).toMatchObject({ result: { doubled: 4 } });
    expect(threads(pid)).toBe(1);
    write('double.ts', { run: 'return { doubled: -n };' });
    expect(await ordered(2)).toMatchObject({ result: { doubled: -2 } });
    write(
      'other.mjs',
      moduleText({ name: 'other', run: 'return n' }).replaceAll(
        /<Params>|: (Params|CommandContext|Promise<unknown>)|, type CommandContext|interface .*/g,
        '',
      ),
    );
    expect(await device.outcome(device.order('other', { n: 7 }))).toMatchObject({ result: 7 });
    rmSync(join(device.modulesFolder, 'double.ts'));
    expect(await ordered()).toMatchObject({ error: { code: 'unknown-command' } });
    expect(device.process?.pid).toBe(pid);
    await waitFor(() => threads(pid) === 1, { what: 'the threads of what is no more to end' });
  });

  test.each([
    ['does not parse', 'export default {', /Unexpected|Expression|expected/i],
    ['throws when it is loaded', 'throw new Error("no such valve");', /no such valve/],
    ['exports no command', 'export const x = 1;', /export default defineCommand/],
    ['misspells a member', moduleText({ ...DOUBLE, more: 'timeoutMS: 1,' }), /did you mean "timeoutMs"/],
    [
      'has a schema that is none',
      moduleText({ ...DOUBLE, more: "result: { type: 'objekt' }," }),
      /objekt|schema/,
    ],
    ['takes the name of another', moduleText({ ...DOUBLE, name: 'ping' }), /already \(built-in\)/],
    ['ends its process', 'process.exit(0);', /ended by itself/],
    ['loads without end', ENDLESS, /has not loaded within/],
  ])('when one %s, that is reported and told, and the others work', async (_, text, why) => {
    if (text === ENDLESS) device.configure({ moduleLoadMs: 5000 });
    write('double.ts', DOUBLE);
    write('bad.ts', text);
    device.start();
    expect(await ordered(3)).toMatchObject({ result: { doubled: 6 } });
    // It is loaded beside the others, and nobody waits for it.
    await waitFor(async () => (await broken()).length > 0, { what: 'it to be known as broken' });
    expect(await broken()).toEqual([
      { name: expect.stringMatching(/bad\.ts|ping/), why: expect.stringMatching(why) },
    ]);
    await waitFor(() => device.gateway?.events.includes('plug-in-broken'), { what: 'the event' });
    expect(await device.outcome(device.order('ping'))).toMatchObject({ status: 'succeeded' });
  });

  test('when one loads without end, orders of the others go on at once, before and after it is put there', async () => {
    device.configure({ moduleLoadMs: 600_000 });
    write('double.ts', DOUBLE);
    write('bad.ts', ENDLESS);
    device.start();
    expect(await ordered(3)).toMatchObject({ result: { doubled: 6 } });
    write('worse.ts', ENDLESS);
    expect(await ordered(4)).toMatchObject({ result: { doubled: 8 } });
    expect(await device.outcome(device.order('ping'))).toMatchObject({ status: 'succeeded' });
    // Nobody can say yet what it is: an order that may be its own waits, and may be cancelled.
    const waiting = await device.hand(device.order('heard-of-nowhere'));
    expect(await device.gateway?.cancel(waiting.orderId)).toEqual({ outcome: 'cancelled' });
  });

  test.each([
    ['throws', 'throw new Error("no water");', {}, 'failed', /^no water$/],
    [
      'returns what breaks its schema',
      'return "much";',
      { more: "result: { type: 'integer' }," },
      'failed',
      /result must be integer/,
    ],
    [
      'fails where nobody catches it',
      'setImmediate(() => { throw new Error("stray"); }); await new Promise(() => {});',
      {},
      'failed',
      /thread of its module ended: stray/,
    ],
    ['ends its process', 'process.exit(3);', {}, 'failed', /ended by itself/],
    [
      'takes more memory than it may',
      'const all = []; for (;;) all.push(new Array(1000).fill({ n: Math.random() }));',
      {},
      'failed',
      /memory/,
    ],
    ['never ends', 'for (;;);', { timeoutMs: 4000 }, 'failed', /longer than 4000 ms/],
    [
      'heeds its signal',
      'await new Promise((resolve) => context.signal.addEventListener("abort", resolve)); return 1;',
      { timeoutMs: 4000 },
      'failed',
      /longer than 4000 ms/,
    ],
  ])('when it %s, its order says so, and it can be ordered again', async (_, run, more, status, message) => {
    device.configure({ moduleMemoryBytes: 16_777_216 });
    // Of the first order alone: the next has all the time that a new thread needs.
    const { timeoutMs, ...module } = more as { more?: string; timeoutMs?: number };
    write('double.ts', { run: `if (n === 2) return { doubled: 4 };\n${run}`, ...module });
    device.start();
    const payload = { name: 'double', params: { n: 1 }, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    expect(await device.outcome(device.order('double', {}, { payload }))).toMatchObject({
      status,
      error: { message: expect.stringMatching(message) },
    });
    const again = await ordered(2);
    expect(JSON.stringify(again)).toMatch(/"doubled":4|invalid-result/);
    expect(await device.outcome(device.order('ping'))).toMatchObject({ status: 'succeeded' });
  });

  test('when its order is cancelled, its signal says so and the order is cancelled', async () => {
    write('double.ts', {
      run: 'context.progress({ note: "on" }); await new Promise((resolve) => context.signal.addEventListener("abort", resolve));',
    });
    device.start();
    const order = await device.hand(device.order('double', { n: 1 }));
    await waitFor(() => device.gateway?.progress.length === 1, { what: 'the run to begin' });
    expect(await device.gateway?.cancel(order.orderId)).toEqual({ outcome: 'stopping' });
    expect(await device.ended(order)).toMatchObject({ status: 'cancelled' });
  });

  test('when its order is cancelled and it returns its result all the same, the order succeeds', async () => {
    write('double.ts', {
      run: 'context.progress({ note: "on" }); await new Promise((resolve) => context.signal.addEventListener("abort", resolve)); return { shut: true };',
    });
    device.start();
    const order = await device.hand(device.order('double', { n: 1 }));
    await waitFor(() => device.gateway?.progress.length === 1, { what: 'the run to begin' });
    expect(await device.gateway?.cancel(order.orderId)).toEqual({ outcome: 'stopping' });
    expect(await device.ended(order)).toMatchObject({ status: 'succeeded', result: { shut: true } });
  });

  test.each([
    ['logs', 'for (let i = 0; i < 200_000; i += 1) context.log("y".repeat(3000)); return n;'],
    [
      'writes to standard output',
      'for (let i = 0; i < 2000; i += 1) { console.log("y".repeat(3000)); await new Promise(setImmediate); } return n;',
    ],
  ])('when it %s without measure, the log takes as much as it may and says so', async (_, run) => {
    device.configure({ outputLogChars: 10_000 });
    write('double.ts', { run });
    const executor = device.start();
    expect(await ordered(7)).toMatchObject({ status: 'succeeded', result: 7 });
    await executor.output(/the module says more than is logged/);
    expect(
      executor
        .stdout()
        .match(/y{1000,}/g)
        ?.map(({ length }) => length),
    ).toEqual(Array.from({ length: 5 }, () => 2000));
    expect(peakMebibytes(executor.pid)).toBeLessThan(400);
    expect(await executor.kill('SIGINT')).toEqual({ code: 0, signal: null });
  });

  test('when it tells its progress without end, its time ends it and the newest now and then is told', async () => {
    write('double.ts', {
      more: 'timeoutMs: 3000,',
      run: 'for (let i = 0; ; i += 1) context.progress({ note: String(i).padStart(1000) });',
    });
    const executor = device.start();
    expect(await ordered()).toMatchObject({
      status: 'failed',
      error: { code: 'timed-out' },
    });
    const notes = device.gateway?.progress.map((each) => Number((each as { note?: string }).note)) ?? [];
    expect(notes.length).toBeGreaterThan(0);
    expect(notes).toEqual(notes.toSorted((one, other) => one - other));
    expect(peakMebibytes(executor.pid)).toBeLessThan(400);
    expect(await executor.kill('SIGINT')).toEqual({ code: 0, signal: null });
  });

  test('when it tells no progress at all, or one that is too long, that is left out and it goes on', async () => {
    write('double.ts', {
      run: `const { progress } = context as unknown as { progress(value?: unknown): void };
        progress(); progress({ data: { all: "x".repeat(300_000) } }); progress({ percent: 1 }); return n;`,
    });
    device.start();
    expect(await ordered(2)).toMatchObject({ result: 2 });
    expect(device.gateway?.progress).toMatchObject([{ percent: 1 }]);
  });

  test('when others may write it, it is left out', async () => {
    write('double.ts', DOUBLE);
    chmodSync(join(device.modulesFolder, 'double.ts'), 0o666);
    device.start();
    expect(await ordered()).toMatchObject({ error: { code: 'unknown-command' } });
    expect(await broken()).toMatchObject([{ name: 'double.ts', why: expect.stringContaining('chmod go-w') }]);
  });
});

/** The most memory that a process has had resident. */
const peakMebibytes = (pid: number): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

/** How many threads have a module in them. */
const threads = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`).filter((id) => {
    try {
      return readFileSync(`/proc/${pid}/task/${id}/comm`, 'utf8').trim() === 'bowline-module';
    } catch {
      return false; // it has just ended
    }
  }).length;
