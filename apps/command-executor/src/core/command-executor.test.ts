import { ServerClock, type Logger } from '@bowline/runtime';
import { RejectedError, TransientError } from '@bowline/runtime/errors';
import { FakeClock } from '@bowline/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { CommandExecutor, type ExecutorLimits } from './command-executor.ts';
import { policyOf } from '../testing/policies.ts';
import { defineCommand, type Command, type CommandContext, type Concurrency } from './command.ts';
import { fakeDevice, fakeMachine } from '../testing/fake-machine.ts';
import type { CommandOrder } from './plan-command.ts';
import type { OrderReport } from './run-step.ts';

const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const orderId = (n: number) => `01900000-0000-7000-8000-${String(n).padStart(12, '0')}`;
const order = (n: number, fields: Partial<CommandOrder> = {}): CommandOrder => ({
  orderId: orderId(n),
  payload: { name: 'work' },
  state: 'received',
  attempt: 0,
  ...fields,
});

let recorded: string[] = [];
beforeEach(() => (recorded = []));

/** An executor with one command `work`, whose runs the test ends one by one. */
function setUp(
  limits: Partial<ExecutorLimits> = {},
  idempotent = true,
  begin: (id: string) => void = (id) => void recorded.push(`begun ${id}`),
  end: (id: string) => void = (id) => void recorded.push(`ended ${id}`),
  concurrency: Concurrency = 'shared',
  more: { cannotStop?: boolean } = {},
) {
  const clock = new FakeClock();
  const serverClock = new ServerClock(clock);
  const reports: OrderReport[] = [];
  const runs: { context: CommandContext; end: (result: unknown) => void; fail: (error: Error) => void }[] =
    [];
  let onReport: (report: OrderReport, signal: AbortSignal) => Promise<void> = () => Promise.resolve();
  const progress: string[] = [];
  const work: Command = defineCommand<unknown>(
    {
      name: 'work',
      description: '',
      idempotent,
      params: {},
      result: {},
      concurrency,
      ...more,
      run: (_, context) =>
        new Promise((end, fail) => {
          runs.push({ context, end, fail });
        }),
    },
    () => true,
  );
  const executor = new CommandExecutor({
    commands: {
      all: () => [work],
      broken: () => [],
      refresh: () => Promise.resolve(),
      isLoading: () => false,
    },
    readPolicy: () => Promise.resolve(policyOf({ work: {} })),
    notes: { write: () => {}, read: () => undefined },
    orphan: () => undefined,
    progress: (_, { note = '' }) => void progress.push(note),
    record: { begin, end },
    report: async (report, signal) => {
      reports.push(report);
      await onReport(report, signal);
    },
    clock,
    serverClock,
    log,
    device: fakeDevice,
    machine: fakeMachine,
    limits: {
      maxConcurrent: 2,
      maxWaiting: 2,
      commandTimeoutMs: 60_000,
      maxRuns: 3,
      resultBytes: 1024,
      progressBytes: 1024,
      ...limits,
    },
  });
  return {
    clock,
    serverClock,
    executor,
    runs,
    statuses: (n: number) => reports.filter((r) => r.orderId === orderId(n)).map((r) => r.status),
    last: () => reports.at(-1),
    progress,
    onReport: (handler: typeof onReport) => void (onReport = handler),
    /** Lets promises run. */
    settle: () => clock.advance(0),
  };
}

describe('CommandExecutor', () => {
  test('when started is not durable yet, the effect has not begun', async () => {
    const { executor, runs, onReport, statuses, settle } = setUp();
    let durable = () => {};
    onReport(() => new Promise((resolve) => (durable = resolve)));
    executor.take(order(1));
    await settle();
    expect([statuses(1), runs.length]).toEqual([['started'], 0]);
    durable();
    await settle();
    expect(runs.length).toBe(1);
  });

  test('when a run ends, its result is reported and nothing of it is left', async () => {
    const { executor, runs, last, statuses, settle, clock } = setUp();
    executor.take(order(1));
    await settle();
    runs[0]?.end({ fine: true });
    await settle();
    expect(statuses(1)).toEqual(['started', 'succeeded']);
    expect(last()?.result).toEqual({ fine: true });
    expect(executor.counts()).toEqual({ running: 0, waiting: 0, ended: { succeeded: 1 } });
    expect(clock.pendingTimers).toBe(0);
  });

  test('when a command throws, the order fails with its message', async () => {
    const { executor, runs, last, settle } = setUp();
    executor.take(order(1));
    await settle();
    runs[0]?.fail(new Error('no valve'));
    await settle();
    expect(last()).toMatchObject({
      status: 'failed',
      error: { code: 'command-failed', message: 'no valve' },
    });
  });

  test.each([
    ['is cancelled', ({ executor }: ReturnType<typeof setUp>) => executor.cancel(orderId(1))],
    ['is out of time', ({ clock }: ReturnType<typeof setUp>) => clock.advance(60_000)],
  ])('when what cannot be stopped %s, its order ends as it does, not before', async (_, act) => {
    const world = setUp({}, true, undefined, undefined, 'shared', { cannotStop: true });
    const { executor, runs, statuses, settle } = world;
    executor.take(order(1));
    await settle();
    await act(world);
    await settle();
    expect(statuses(1)).toEqual(['started']);
    runs[0]?.end({ fine: true });
    await settle();
    expect(statuses(1)).toEqual(['started', 'succeeded']);
  });

  test('when what cannot be stopped runs and the app ends, it is left to the next life', async () => {
    const { executor, clock, settle, statuses } = setUp({}, true, undefined, undefined, 'shared', {
      cannotStop: true,
    });
    executor.take(order(1));
    await settle();
    const stopped = executor.stop(1000);
    await clock.advance(1000);
    await stopped;
    expect(statuses(1)).toEqual(['started']);
  });

  test('when the same order is handed over again while it runs, it runs once', async () => {
    const { executor, runs, statuses, settle } = setUp();
    executor.take(order(1));
    await settle();
    executor.take(order(1, { state: 'started', attempt: 1 }));
    await settle();
    runs[0]?.end(null);
    await settle();
    expect(runs.length).toBe(1);
    expect(statuses(1)).toEqual(['started', 'succeeded']);
  });

  test('when a run passes its deadline, it is told to stop and the order fails as timed out', async () => {
    const { executor, runs, last, settle, clock } = setUp();
    executor.take(order(1, { payload: { name: 'work', timeoutMs: 500 } }));
    await settle();
    await clock.advance(500);
    expect(runs[0]?.context.signal.aborted).toBe(true);
    expect(last()).toMatchObject({ status: 'failed', error: { code: 'timed-out' } });
  });

  test('when more orders come than may run, they run in order as room comes free', async () => {
    const { executor, runs, statuses, settle } = setUp({ maxConcurrent: 1 });
    [1, 2, 3].forEach((n) => executor.take(order(n)));
    await settle();
    expect([runs.length, statuses(2)]).toEqual([1, []]);
    runs[0]?.end(null);
    await settle();
    expect([statuses(2), statuses(3)]).toEqual([['started'], []]);
  });

  test('when the line is full, an order is refused for now', () => {
    const { executor } = setUp({ maxConcurrent: 1, maxWaiting: 1 });
    executor.take(order(1));
    executor.take(order(2));
    expect(() => executor.take(order(3))).toThrow(
      expect.objectContaining({ code: 'executor-full', retryable: true }),
    );
  });

  test('when a waiting order is cancelled, it never runs and nothing is reported by us', async () => {
    const { executor, runs, statuses, settle } = setUp({ maxConcurrent: 1 });
    executor.take(order(1));
    executor.take(order(2));
    expect(executor.cancel(orderId(2))).toBe('cancelled');
    await settle();
    runs[0]?.end(null);
    await settle();
    expect([runs.length, statuses(2)]).toEqual([1, []]);
  });

  test('when a running order is cancelled, it is stopped and reported as cancelled', async () => {
    const { executor, runs, statuses, settle } = setUp();
    executor.take(order(1));
    await settle();
    expect(executor.cancel(orderId(1))).toBe('stopping');
    await settle();
    expect(runs[0]?.context.signal.aborted).toBe(true);
    expect(statuses(1)).toEqual(['started', 'cancelled']);
    expect(executor.cancel(orderId(1))).toBe('unknown-order');
  });

  test('when a cancel comes while started is being recorded, the effect never begins', async () => {
    const { executor, runs, onReport, statuses, settle } = setUp();
    let durable = () => {};
    onReport(({ status }) =>
      status === 'started' ? new Promise((resolve) => (durable = resolve)) : Promise.resolve(),
    );
    executor.take(order(1));
    await settle();
    expect(executor.cancel(orderId(1))).toBe('stopping');
    durable();
    await settle();
    expect([runs.length, statuses(1)]).toEqual([0, ['started', 'cancelled']]);
  });

  test('when the end is being recorded, a cancel comes too late', async () => {
    const { executor, runs, onReport, settle } = setUp();
    onReport(({ status }) => (status === 'started' ? Promise.resolve() : new Promise(() => {})));
    executor.take(order(1));
    await settle();
    runs[0]?.end(null);
    await settle();
    expect(executor.cancel(orderId(1))).toBe('too-late');
  });

  test('when the gateway refuses the start, the effect never begins and the order is forgotten', async () => {
    const { executor, runs, onReport, settle } = setUp();
    onReport(() => Promise.reject(new RejectedError('bad-transition', 'it was cancelled')));
    executor.take(order(1));
    await settle();
    expect([runs.length, executor.counts().running]).toEqual([0, 0]);
  });

  test('when the server was not heard since boot, an order with an expiry waits until it was', async () => {
    const { executor, runs, serverClock, statuses, settle } = setUp();
    executor.take(order(1, { payload: { name: 'work', expiresAt: 10_000 } }));
    executor.take(order(2, { payload: { name: 'work', expiresAt: 9000 } }));
    await settle();
    expect([runs.length, executor.counts().waiting]).toEqual([0, 2]);
    serverClock.told(9500);
    executor.serverTimeKnown();
    await settle();
    expect([statuses(1), statuses(2)]).toEqual([['started'], ['expired']]);
  });

  test('when the order expires while its start is being recorded, the effect never begins', async () => {
    const { executor, runs, serverClock, onReport, last, settle, clock } = setUp();
    serverClock.told(1000);
    onReport(({ status }) =>
      status === 'started' ? new Promise((resolve) => clock.after(5000, resolve)) : Promise.resolve(),
    );
    executor.take(order(1, { payload: { name: 'work', expiresAt: 3000 } }));
    await clock.advance(5000);
    await settle();
    expect(runs.length).toBe(0);
    expect(last()).toMatchObject({ status: 'failed', error: { code: 'expired' } });
  });

  test('when the app stops, what runs may end and is reported, what waits is left to the gateway', async () => {
    const { executor, runs, statuses, settle } = setUp({ maxConcurrent: 1 });
    executor.take(order(1));
    executor.take(order(2));
    await settle();
    const stopped = executor.stop(5000);
    expect(() => executor.take(order(3))).toThrow(TransientError);
    runs[0]?.end(null);
    await stopped;
    expect([statuses(1), statuses(2)]).toEqual([['started', 'succeeded'], []]);
  });

  test('when a run outlasts the grace of a stop, it is cut off without a report', async () => {
    const { executor, runs, statuses, settle, clock } = setUp();
    executor.take(order(1));
    await settle();
    const stopped = executor.stop(5000);
    await clock.advance(5000);
    await stopped;
    expect(runs[0]?.context.signal.aborted).toBe(true);
    expect(statuses(1)).toEqual(['started']);
  });

  test('when a report waits for the gateway past the grace of a stop, it is given up', async () => {
    const { executor, onReport, clock } = setUp();
    onReport(
      (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
    );
    executor.take(order(1));
    const stopped = executor.stop(5000);
    await clock.advance(5000);
    await expect(stopped).resolves.toBeUndefined();
  });

  test('when a signed order runs, its use is recorded before the effect and its end before the report', async () => {
    const { executor, runs, onReport, settle } = setUp();
    onReport(({ status }) => {
      recorded.push(status);
      return Promise.resolve();
    });
    executor.take(order(1, { signature: { id: 'j1', signer: 'k', earlier: undefined } }));
    await settle();
    expect(recorded).toEqual(['started', 'begun j1']);
    runs[0]?.end(1);
    await settle();
    expect(recorded).toEqual(['started', 'begun j1', 'ended j1', 'succeeded', 'ended j1']);
  });

  test('when a signed order is cancelled before it began, its signature is used up; if that cannot be recorded, it is not cancelled', async () => {
    const signature = { id: 'j2', signer: 'k', earlier: undefined };
    const { executor, settle } = setUp({ maxConcurrent: 1 });
    executor.take(order(1));
    executor.take(order(2, { signature }));
    await settle();
    expect(executor.cancel(order(2).orderId)).toBe('cancelled');
    expect(recorded).toEqual(['ended j2']);

    const full = setUp({ maxConcurrent: 1 }, true, undefined, () => {
      throw new TransientError('spent-orders-unwritable', 'full');
    });
    full.executor.take(order(1));
    full.executor.take(order(2, { signature }));
    await full.settle();
    expect(() => full.executor.cancel(order(2).orderId)).toThrow(TransientError);
    expect(full.executor.counts()).toMatchObject({ waiting: 1 });
  });

  test('when the use of a signature cannot be recorded, the command does not run', async () => {
    const { executor, runs, last, settle } = setUp({}, true, () => {
      throw new TransientError('spent-orders-unwritable', 'full');
    });
    executor.take(order(1, { signature: { id: 'j1', signer: 'k', earlier: undefined } }));
    await settle();
    expect(runs.length).toBe(0);
    expect(last()).toMatchObject({ status: 'failed', error: { code: 'spent-orders-unwritable' } });
  });

  test('when a command may run once at a time, a second order for it waits and others need not', async () => {
    const { executor, runs, statuses, settle } = setUp({}, true, undefined, undefined, 'per-name');
    executor.take(order(1));
    executor.take(order(2));
    await settle();
    expect([statuses(1), statuses(2)]).toEqual([['started'], []]);
    runs[0]?.end(null);
    await settle();
    expect(statuses(2)).toEqual(['started']);
  });

  test('when progress is larger than a link may carry, its beginning is told', async () => {
    const { executor, runs, progress, settle } = setUp();
    executor.take(order(1));
    await settle();
    runs[0]?.context.progress({ note: 'x'.repeat(80_000) });
    expect(progress).toEqual([expect.stringMatching(/^x{100,512}…$/)]);
  });

  test('when a run reports progress often, it is told at once and then the newest twice a second', async () => {
    const { executor, runs, progress, settle, clock } = setUp();
    executor.take(order(1));
    await settle();
    for (const note of ['a', 'b', 'c']) runs[0]?.context.progress({ note });
    expect(progress).toEqual(['a']);
    await clock.advance(500);
    expect(progress).toEqual(['a', 'c']);
    runs[0]?.context.progress({ note: 'd' });
    runs[0]?.end(null);
    await clock.advance(1000);
    expect(progress).toEqual(['a', 'c']);
  });
});
