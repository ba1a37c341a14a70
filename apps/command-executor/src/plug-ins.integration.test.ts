import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, temporaryFolder, waitFor } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ControlGroups } from './adapters/programs/control-group.ts';
import { ExecutorProcess } from './testing/executor-process.ts';

let device: ExecutorProcess;
beforeEach(async () => {
  device = new ExecutorProcess({ outputLogChars: 4096, outputLineChars: 4096 });
  await device.openGateway();
});
afterEach(() => device.end());

/**
 * A script that starts what hides best, as `sleep FIRST` and on. `hidden`: also in a session of its own, with no parent of the
 * run and nothing in its environment, which only a control group still holds.
 */
const hiding = (first: number, hidden: boolean): string => `
sleep ${first} &
( setsid sleep ${first + 1} & )
( setsid sh -c 'sleep ${first + 2} & sleep ${first + 3} & wait' >/dev/null 2>&1 & )
${hidden ? `( env -i setsid sleep ${first + 4} & )` : ''}
`;

/** Seconds that no other run of these tests sleeps. */
const OURS = process.pid * 1000;

/** Pids of the sleepers of {@link hiding}. */
const sleepers = (first: number): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      const [program, argument] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const seconds = Number(argument) - first;
      return program === 'sleep' && seconds >= 0 && seconds < 10 && isRunning(Number(pid));
    } catch {
      return false;
    }
  });

/** Where this machine lets us make control groups, both ways are tried. */
const groups = new ControlGroups(temporaryFolder());
const group = groups.make('test');
groups.sweep();
const WAYS: [string, Record<string, unknown>, boolean][] = [
  ['mark and session alone', { controlGroupFolder: '/nonexistent' }, false],
];
if (group !== undefined) WAYS.push(['their control group', {}, true]);

describe('plug-ins', () => {
  test('when one is ordered, its program gets the params, tells its progress, and its last line is the result', async () => {
    device.plugIn(
      'greet',
      `read params; echo '{"percent":50,"note":"half"}'; echo to the log >&2; echo "{\\"got\\":$params}"`,
    );
    device.policy({ greet: {} });
    const executor = device.start();
    const order = device.order('greet', { who: 'world' });
    expect(await device.outcome(order)).toMatchObject({
      status: 'succeeded',
      result: { got: { who: 'world' } },
    });
    expect(device.gateway?.progress).toEqual([{ orderId: order.orderId, percent: 50, note: 'half' }]);
    await executor.output(/"output":"to the log"/);
  });

  test('when its params or its result break its schemas, the error names the field and what was expected', async () => {
    const params = { type: 'object', required: ['valve'], properties: { valve: { type: 'integer' } } };
    device.plugIn('open', `echo '{"state":"ajar"}'`, {
      params,
      result: { type: 'object', properties: { state: { enum: ['open', 'shut'] } } },
    });
    device.policy({ open: {} });
    device.start();
    const wrong = device.order('open', { valve: 'a' });
    expect(await device.outcome(wrong)).toMatchObject({
      status: 'rejected',
      error: { code: 'invalid-params', message: 'params/valve must be integer' },
    });
    expect(device.gateway?.reports.some(({ status }) => status === 'started')).toBe(false);
    expect(await device.outcome(device.order('open', { valve: 1 }))).toMatchObject({
      status: 'failed',
      error: {
        code: 'invalid-result',
        message: expect.stringMatching(/result\/state .*allowed values: open,shut/),
      },
    });
  });

  test('when its program fails, exit code and last words are told', async () => {
    device.plugIn('fail', `echo 'no valve' >&2; exit 3`);
    device.policy({ fail: {} });
    device.start();
    expect(await device.outcome(device.order('fail'))).toMatchObject({
      status: 'failed',
      error: { code: 'command-failed', message: 'it ended with exit code 3: no valve' },
    });
  });

  describe.each(WAYS)('whose processes are found by %s', (_, config, hidden) => {
    beforeEach(async () => {
      await device.end();
      device = new ExecutorProcess(config);
      await device.openGateway();
    });

    test('when one ends and leaves processes behind, in whatever session, none of them is left', async () => {
      device.plugIn('leave', `${hiding(OURS, hidden)}\necho 1`);
      device.policy({ leave: {} });
      const executor = device.start();
      expect(await device.outcome(device.order('leave'))).toMatchObject({ status: 'succeeded', result: 1 });
      expect(sleepers(OURS)).toEqual([]);
      await executor.output(/left processes behind/);
    });

    test.each([
      // Long enough that all of them have begun by then, on a busy machine too.
      ['its time is over', OURS + 100, { timeoutMs: 6000 }, 'failed'],
      ['it is cancelled', OURS + 200, {}, 'cancelled'],
    ])(
      'when %s and it hears no SIGTERM, it and all that it started is killed before the order ends',
      async (_, first, limit, status) => {
        device.plugIn('deaf', `trap '' TERM\n${hiding(first, hidden)}\nsleep ${first + 9}`);
        device.policy({ deaf: {} });
        device.start();
        const order = device.order('deaf');
        await device.hand({ ...order, payload: { ...order.payload, ...limit } });
        await waitFor(() => sleepers(first).length === (hidden ? 6 : 5), { what: 'all sleepers' });
        if (status === 'cancelled') await device.gateway?.cancel(order.orderId);
        expect(await device.ended(order)).toMatchObject({ status });
        expect(sleepers(first)).toEqual([]);
      },
    );
  });

  test('when it floods its output, memory, log and result stay bounded, visibly', async () => {
    device.plugIn(
      'flood',
      `yes say | head -c 3000000 >&2; yes '{"percent":1}' | head -n 200000; printf '"'; head -c 2000000 /dev/zero | tr '\\0' x; echo '"'`,
    );
    device.policy({ flood: {} });
    const executor = device.start();
    const { result } = await device.outcome(device.order('flood'));
    expect(result).toMatchObject({ truncated: true, sizeBytes: 2_000_002 });
    await executor.output(/more than is logged/);
    expect(executor.stdout().length).toBeLessThan(400_000);
    expect(device.gateway?.progress.length).toBeLessThan(30);
  });

  test.each([
    [
      'hands over its result',
      `echo '{"shut":true}'; exit 0`,
      { status: 'succeeded', result: { shut: true } },
    ],
    ['ends without one', 'exit 0', { status: 'cancelled', error: { code: 'cancelled' } }],
    ['ends with an error', `echo '{"shut":true}'; exit 1`, { status: 'cancelled' }],
  ])('when its order is cancelled and it %s, the order ends so', async (_, onTerm, end) => {
    device.plugIn(
      'shut',
      `end() { ${onTerm}; }; trap end TERM; echo '{"percent":1}'; while :; do sleep 0.1; done`,
    );
    device.policy({ shut: {} });
    device.start();
    const order = await device.hand(device.order('shut'));
    await waitFor(() => device.gateway?.progress.length === 1, { what: 'its progress' });
    expect(await device.gateway?.cancel(order.orderId)).toEqual({ outcome: 'stopping' });
    expect(await device.ended(order)).toMatchObject(end);
  });

  describe('whose result is longer than is kept', () => {
    beforeEach(async () => {
      await device.end();
      device = new ExecutorProcess(); // the bounds of a device
      await device.openGateway();
    });

    const long = `yes € | tr -d '\\n' | head -c 900000`;

    test('when nobody promised what it looks like, it is cut once, and its bytes are counted', async () => {
      device.plugIn('long', long);
      device.policy({ long: {} });
      device.start();
      const report = await device.outcome(device.order('long'));
      expect(report).toMatchObject({ status: 'succeeded', result: { truncated: true, sizeBytes: 900_000 } });
      expect((report.result as { start: string }).start).toMatch(/^€{5000,}$/);
    });

    test('when its manifest has a schema that nobody can hold it against, the order fails and says so', async () => {
      device.plugIn('long', long, { result: { type: 'object', required: ['degrees'] } });
      device.policy({ long: {} });
      device.start();
      const { status, error } = await device.outcome(device.order('long'));
      expect([status, error?.code]).toEqual(['failed', 'invalid-result']);
      expect(error?.message).toMatch(/^its result of 900000 bytes is too long .*outputLineChars.*: €{200}$/);
    });
  });

  test('when its manifest asks for a signature, an order without one is refused though the policy asks for none', async () => {
    device.plugIn('open', 'echo 1', { policy: { signed: true } });
    device.policy({ open: {} });
    device.start();
    expect(await device.outcome(device.order('open'))).toMatchObject({
      status: 'rejected',
      error: { code: 'signature-needed' },
    });
    device.plugIn('open', 'echo 2', {});
    expect(await device.outcome(device.order('open'))).toMatchObject({ status: 'succeeded', result: 2 });
  });

  test('when it has limits, the kernel holds its program to them', async () => {
    const limits = { openFiles: 17, fileBytes: 0, cpuSeconds: 5 };
    device.plugIn('limited', `echo "[$(ulimit -n),$(ulimit -t),$(ulimit -c)]"`, { limits });
    device.policy({ limited: {} });
    device.start();
    expect(await device.outcome(device.order('limited'))).toMatchObject({ result: [17, 5, 0] });
  });

  test.runIf(process.getuid?.() === 0)(
    'when it names a user, it runs as that one, but only where the policy names him as well',
    async () => {
      device.plugIn('who', `echo "[\\"$(id -un)\\",\\"$(id -Gn)\\",\\"$HOME\\"]"`, { user: 'nobody' });
      device.policy({ who: {} });
      chmodSync(device.folder, 0o755);
      device.start();
      expect(await device.outcome(device.order('who'))).toMatchObject({
        status: 'rejected',
        error: { code: 'not-allowed', message: expect.stringContaining('/commands/who/users') },
      });
      device.policy({ who: { users: ['nobody'] } });
      expect(await device.outcome(device.order('who'))).toMatchObject({
        status: 'succeeded',
        result: ['nobody', 'nogroup', '/nonexistent'],
      });
    },
  );

  test('when one is added, changed and removed, orders and the gateway know it at once, without a restart', async () => {
    device.policy({ late: {} });
    device.start();
    expect(await device.outcome(device.order('late'))).toMatchObject({ error: { code: 'unknown-command' } });
    const folder = device.plugIn('late', 'echo 1', { idempotent: true });
    expect(await device.outcome(device.order('late'))).toMatchObject({ result: 1 });
    await waitFor(() => device.gateway?.idempotent().includes('late'));
    device.plugIn('late', 'echo 22', { idempotent: false });
    expect(await device.outcome(device.order('late'))).toMatchObject({ result: 22 });
    await waitFor(() => device.gateway?.idempotent().includes('late') === false);
    rmSync(folder, { recursive: true });
    expect(await device.outcome(device.order('late'))).toMatchObject({ error: { code: 'unknown-command' } });
  });

  test('when some are broken, each is reported with the reason, and the others work', async () => {
    device.policy({ good: {}, listCommands: {} });
    device.plugIn('good', 'echo 1');
    device.plugIn('taken', 'echo 1', { name: 'ping' });
    device.plugIn('misspelt', 'echo 1', { timeoutMS: 5 });
    device.plugIn('noSchema', 'echo 1', { params: { type: 'objekt' } });
    device.plugIn('async', 'echo 1', { params: { $async: true, type: 'object', maxProperties: 0 } });
    device.plugIn('lookAhead', 'echo 1', { result: { type: 'string', pattern: '^(?=a)' } });
    chmodSync(join(device.plugIn('open', 'echo 1'), 'run'), 0o777);
    chmodSync(join(device.plugIn('still', 'echo 1'), 'run'), 0o644);
    writeFileSync(join(device.plugIn('noJson', 'echo 1'), 'command.json'), '{');
    device.start();
    expect(await device.outcome(device.order('good'))).toMatchObject({ result: 1 });
    const { result } = await device.outcome(device.order('listCommands', { names: ['good'] }));
    expect((result as { broken: unknown }).broken).toEqual([
      { name: 'async', why: '$async is not of JSON Schema: leave it out' },
      { name: 'lookAhead', why: expect.stringContaining('"^(?=a)" is not of RE2 syntax') },
      { name: 'misspelt', why: expect.stringContaining('did you mean "timeoutMs"?') },
      { name: 'noJson', why: expect.stringContaining('not JSON') },
      { name: 'noSchema', why: expect.stringContaining('type') },
      { name: 'open', why: expect.stringContaining('others than its owner may write it') },
      { name: 'still', why: expect.stringContaining('chmod +x') },
      { name: 'ping', why: 'there is a command of this name already (built-in)' },
    ]);
    expect(device.gateway?.events.filter((kind) => kind === 'plug-in-broken').length).toBe(8);
  });
});

describe('classes of commands', () => {
  test('when an exclusive one is under way, nothing else begins; one that waits can be cancelled', async () => {
    const log = join(device.folder, 'effects');
    const script = (name: string, until: string) =>
      `echo "begin ${name}" >>${log}; ${until}; echo "end ${name}" >>${log}`;
    device.plugIn('alone', script('alone', 'sleep 0.3'), { concurrency: 'exclusive' });
    // Neither of the first two ends before the other has begun.
    const both = `until [ "$(grep -c 'begin shared' ${log})" -ge 2 ]; do sleep 0.02; done`;
    device.plugIn('shared', script('shared', both));
    device.policy({ alone: {}, shared: {} });
    device.start();
    const handed = [];
    for (const name of ['shared', 'shared', 'alone', 'shared', 'alone'])
      handed.push(await device.hand(device.order(name)));
    const last = handed.pop();
    expect(await device.gateway?.cancel(last?.orderId ?? '')).toEqual({ outcome: 'cancelled' });
    await Promise.all(handed.map((order) => device.ended(order)));
    expect(readFileSync(log, 'utf8').trim().split('\n')).toEqual([
      'begin shared',
      'begin shared',
      'end shared',
      'end shared',
      'begin alone',
      'end alone',
      'begin shared',
      'end shared',
    ]);
  });
});
