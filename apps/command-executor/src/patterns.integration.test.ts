import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ExecutorProcess } from './testing/executor-process.ts';
import { LocalProgram } from './testing/local-program.ts';

/** JavaScript's RegExp takes 2^60 steps for the two: an executor that uses it never answers again. */
const SLOW = '^(a+)+$';
const BAD = `${'a'.repeat(60)}!`;
const TEXT = { type: 'string', pattern: SLOW };
const PARAMS = { type: 'object', properties: { x: TEXT }, patternProperties: { [SLOW]: TEXT } };

let device: ExecutorProcess;
let socket: string;
beforeEach(async () => {
  device = new ExecutorProcess();
  socket = join(device.folder, 'commands-socket', 's');
  device.configure({ commandSocket: { path: socket } });
  await device.openGateway();
});
afterEach(() => device.end());

/** With which code the order is rejected for a pattern. */
async function rejection(name: string, params: Record<string, unknown>): Promise<string | undefined> {
  const end = await device.outcome(device.order(name, params));
  expect(end).toMatchObject({
    status: 'rejected',
    error: { message: expect.stringContaining('must match pattern') },
  });
  return end.error?.code;
}

async function goesOn(): Promise<void> {
  expect(await device.outcome(device.order('ping'))).toMatchObject({ status: 'succeeded' });
}

/** Bad params of both kinds are rejected with `code`, good ones pass, and others go on. */
async function judged(code: string): Promise<void> {
  expect(await rejection('greet', { x: BAD })).toBe(code);
  expect(await rejection('greet', { aa: BAD })).toBe(code);
  const good = device.order('greet', { x: 'aa', [BAD]: 1 });
  expect(await device.outcome(good)).toMatchObject({ status: 'succeeded', result: 'aa' });
  await goesOn();
}

/** 2^34 evaluations of any value: ajv alone never comes to an end of it. */
const BRANCHES = Object.fromEntries(
  Array.from({ length: 35 }, (_, i) => {
    const next = { $ref: `#/$defs/l${i + 1}` };
    return [`l${i}`, i === 34 ? { type: 'boolean' } : { anyOf: [next, next] }];
  }),
);
const BOMB = { $ref: '#/$defs/l0', $defs: BRANCHES };

test('when a schema of params, result or policy has no end, its orders are refused and others go on', async () => {
  device.policy({ ping: {}, bomb: {}, say: {}, held: { params: BOMB } });
  device.plugIn('bomb', 'echo 1', {
    params: { type: 'object', properties: { a: BOMB, l: { $ref: '#/properties/a' } }, $defs: BRANCHES },
  });
  device.plugIn('say', 'echo 1', { result: BOMB });
  device.plugIn('held', 'echo 1');
  device.start();
  const orders = [device.order('bomb', { a: 1 }), device.order('say'), device.order('held')];
  const ends = await Promise.all(orders.map((order) => device.outcome(order)));
  expect(ends.map(({ status, error }) => [status, error?.code])).toEqual([
    ['rejected', 'invalid-params'],
    ['failed', 'invalid-result'],
    ['rejected', 'not-allowed'],
  ]);
  expect(ends[0]?.error?.message).toContain('takes too long to be held against its schema');
  await goesOn();
});

describe('a pattern that backtracks without end in JavaScript', () => {
  test('when a plug-in has it in params and result, both are checked at once and other orders go on', async () => {
    device.policy({ ping: {}, greet: {}, say: {} });
    device.plugIn('greet', 'echo \'"aa"\'', { params: PARAMS, result: TEXT });
    device.plugIn('say', `echo '"${BAD}"'`, { result: TEXT });
    device.start();
    await judged('invalid-params');
    expect(await device.outcome(device.order('say'))).toMatchObject({
      status: 'failed',
      error: { code: 'invalid-result' },
    });
    await goesOn();
  });

  test('when a module has it, its params are checked at once and other orders go on', async () => {
    device.policy({ ping: {}, greet: {} });
    writeFileSync(
      join(device.modulesFolder, 'greet.ts'),
      `import { defineCommand } from '@bowline/command';
      export default defineCommand({
        name: 'greet', description: 'a module', idempotent: true, params: ${JSON.stringify(PARAMS)},
        async run(): Promise<unknown> { return 'aa'; },
      });`,
    );
    device.start();
    await judged('invalid-params');
  });

  test('when a program registers it, its params are checked at once; a look-ahead is refused with the reason', async () => {
    device.policy({ ping: {}, greet: {} });
    device.start();
    const listens = () => ((statSync(socket, { throwIfNoEntry: false })?.mode ?? 0) & 0o777) === 0o660;
    await waitFor(listens, { what: 'the command socket' });
    const program = new LocalProgram(socket);
    const command = { name: 'greet', description: 'of a program', idempotent: false };
    const refused = await program.register({ ...command, params: { type: 'string', pattern: '(?=a)' } });
    expect(refused).toMatchObject({
      type: 'refused',
      code: 'invalid',
      message: expect.stringContaining('pattern "(?=a)" is not of RE2 syntax, which knows no look-around'),
    });
    expect(await program.register({ ...command, params: PARAMS, result: TEXT })).toMatchObject({
      type: 'registered',
    });
    expect(await rejection('greet', { x: BAD })).toBe('invalid-params');
    expect(await rejection('greet', { aa: BAD })).toBe('invalid-params');
    const order = await device.hand(device.order('greet', { x: 'aa', [BAD]: 1 }));
    await program.hears('run');
    program.say({ type: 'result', orderId: order.orderId, result: BAD });
    expect(await device.ended(order)).toMatchObject({ status: 'failed', error: { code: 'invalid-result' } });
    await goesOn();
    program.leave();
  });

  test('when the policy has it, params are judged by it at once and other orders go on', async () => {
    device.policy({ ping: {}, greet: { params: PARAMS } });
    device.plugIn('greet', 'echo \'"aa"\'');
    device.start();
    await judged('not-allowed');
  });
});
