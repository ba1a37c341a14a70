import type { Sample } from '@bowline/messages';
import { checkOutgoing } from '@bowline/messages/outgoing';
import { CancelledError, RejectedError, TransientError } from '@bowline/runtime/errors';
import { FakeClock } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { HandOver, type OutgoingMessage } from './hand-over.ts';
import { SampleBuffer } from './sample-buffer.ts';

const log = { debug() {}, warn() {}, error() {} };
const sample = (at: number): Sample => ({ series: 'a', at, value: at });

function setUp({ commitMs = 30_000, batchSamples = 100, bufferSamples = 100 } = {}) {
  const clock = new FakeClock();
  const buffer = new SampleBuffer({ samples: bufferSamples, bytes: 1_000_000 });
  const accepted: OutgoingMessage[] = [];
  let answer: (signal: AbortSignal) => Promise<void> = () => Promise.resolve();
  let isRefused: (messages: OutgoingMessage[]) => boolean = () => false;
  let calls = 0;
  let ids = 0;
  let spare: readonly OutgoingMessage[] | undefined;
  let copies = 0;
  const handOver = new HandOver({
    buffer,
    enqueue: async (messages, signal) => {
      calls += 1;
      await answer(signal);
      if (isRefused(messages)) throw new RejectedError('invalid', 'no');
      accepted.push(...messages);
    },
    newId: () => `01900000-0000-7000-8000-${String((ids += 1)).padStart(12, '0')}`,
    clock,
    log,
    limits: { commitMs, batchSamples, batchBytes: 10_000 },
    spare: {
      keep: (messages) => void ([spare, copies] = [messages, copies + 1]),
      remove: () => (spare = undefined),
    },
    random: () => 0,
  });
  return {
    clock,
    buffer,
    accepted,
    handOver,
    calls: () => calls,
    answerWith: (next: typeof answer) => void (answer = next),
    refuse: (which: typeof isRefused) => void (isRefused = which),
    add: (...moments: number[]) => {
      buffer.add(moments.map(sample), clock.monotonicMs());
      handOver.noticed();
    },
    moments: () => momentsIn(accepted),
    spared: () => spare && momentsIn(spare),
    copies: () => copies,
  };
}
const momentsIn = (messages: readonly OutgoingMessage[]) =>
  messages.flatMap((message) =>
    message.type === 'telemetry' ? message.payload.samples.map(({ at }) => at) : [],
  );
const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((_, reject) => {
    const cancel = () => reject(new CancelledError('cancelled', 'given up'));
    if (signal.aborted) cancel();
    signal.addEventListener('abort', cancel);
  });

describe('HandOver', () => {
  test('when the first samples come, they go within a second, the next ones when the window is over', async () => {
    const { clock, add, moments } = setUp();
    add(1);
    await clock.advance(1000);
    expect(moments()).toEqual([1]);
    add(2);
    await clock.advance(29_999);
    expect(moments()).toEqual([1]);
    await clock.advance(1);
    expect(moments()).toEqual([1, 2]);
  });

  test('when the gateway takes nothing, what waits is copied for the next life, ever more seldom, until the gateway has it', async () => {
    const { clock, buffer, add, answerWith, moments, spared, copies } = setUp({ batchSamples: 1 });
    let answer = () => {};
    answerWith(() => new Promise((resolve) => (answer = resolve)));
    add(1, 2);
    await clock.advance(1000);
    add(3);
    await clock.advance(28_000);
    expect(spared()).toBeUndefined();
    await clock.advance(2000);
    expect(spared()).toEqual([1, 2, 3]);
    expect(buffer.samples).toBe(2);
    add(4);
    await clock.advance(60_000);
    expect(spared()).toEqual([1, 2, 3, 4]);
    await clock.advance(24 * 3_600_000);
    expect(copies()).toBeLessThan(14);
    add(5);
    answerWith(() => Promise.resolve());
    answer();
    await clock.advance(0);
    await clock.advance(1000);
    await clock.advance(60_000);
    expect(moments()).toEqual([1, 2, 3, 4, 5]);
    expect(spared()).toBeUndefined();
  });

  test('when samples gather while a message is under way, they follow in order', async () => {
    const { clock, add, moments, answerWith, calls } = setUp({ commitMs: 0 });
    let answer = () => {};
    answerWith(() => new Promise((resolve) => (answer = resolve)));
    add(1);
    await clock.advance(0);
    add(2, 3);
    await clock.advance(0);
    expect(calls()).toBe(1);
    answer();
    await clock.advance(0);
    answer();
    await clock.advance(0);
    expect(moments()).toEqual([1, 2, 3]);
  });

  test('when there are more than fit into a message, several go', async () => {
    const { clock, add, accepted } = setUp({ batchSamples: 2 });
    add(1, 2, 3);
    await clock.advance(1000);
    expect(
      accepted.map(({ type, payload }) => [type, 'samples' in payload && payload.samples.length]),
    ).toEqual([['telemetry', 2]]);
    await clock.advance(30_000);
    expect(accepted.length).toBe(2);
  });

  test('when messages go, the contract takes them and each id is its own', async () => {
    const { clock, add, accepted } = setUp({ bufferSamples: 3 });
    add(1, 2, 3, 4, 5);
    await clock.advance(1000);
    expect(accepted.map(({ type }) => type)).toEqual(['telemetry', 'gap']);
    for (const { type, payload } of accepted) expect(() => checkOutgoing(type, payload)).not.toThrow();
    expect(accepted[1]?.payload).toEqual({
      lane: 'telemetry',
      reason: 'thinned',
      series: 'a',
      count: 2,
      fromAt: 1,
      toAt: 3,
    });
    expect(new Set(accepted.map(({ id }) => id)).size).toBe(2);
  });

  test.each([
    ['the disk is full', new RejectedError('disk-full', 'full')],
    ['it may work later', new TransientError('later', 'later')],
  ])('when %s, the samples are kept and tried again, ever more rarely', async (_, error) => {
    const { clock, add, moments, answerWith, calls } = setUp({ commitMs: 0 });
    answerWith(() => Promise.reject(error));
    add(1);
    await clock.advance(0);
    add(2);
    await clock.advance(999);
    expect(calls()).toBe(1);
    await clock.advance(1);
    expect(calls()).toBe(2);
    answerWith(() => Promise.resolve());
    await clock.advance(60_000);
    expect(moments()).toEqual([1, 2]);
  });

  test('when samples are refused for good, they are given up, counted, and the next ones go', async () => {
    const { clock, add, moments, accepted, answerWith } = setUp({ commitMs: 0 });
    answerWith(() => Promise.reject(new RejectedError('invalid', 'no')));
    add(1);
    await clock.advance(0);
    answerWith(() => Promise.resolve());
    add(2);
    await clock.advance(1000);
    expect(moments()).toEqual([2]);
    expect(accepted.at(-1)).toMatchObject({ type: 'gap', payload: { count: 1, fromAt: 1, toAt: 1 } });
  });

  test('when one of many samples is refused for good, it alone is given up, and the others go in order', async () => {
    const { clock, buffer, add, moments, accepted, refuse } = setUp({ commitMs: 0 });
    refuse((messages) =>
      messages.some(
        ({ type, payload }) => type === 'telemetry' && payload.samples.some(({ at }) => at === 7),
      ),
    );
    add(...Array.from({ length: 20 }, (_, index) => index + 1));
    await clock.advance(0);
    await clock.advance(2000);
    add(21);
    await clock.advance(2000);
    expect(moments()).toEqual([1, 2, 3, 4, 5, 6, ...Array.from({ length: 14 }, (_, index) => index + 8)]);
    const gaps = accepted.filter(({ type }) => type === 'gap');
    expect(gaps).toMatchObject([{ payload: { count: 1, fromAt: 7, toAt: 7 } }]);
    expect(buffer.totals).toEqual({ added: 21, givenUp: 1 });
  });

  test('when one of many is refused for good at the stop, the others still go', async () => {
    const { add, moments, handOver, refuse } = setUp();
    refuse((messages) =>
      messages.some(
        ({ type, payload }) => type === 'telemetry' && payload.samples.some(({ at }) => at === 2),
      ),
    );
    add(1, 2, 3);
    expect(await handOver.stop(new AbortController().signal)).toBe(0);
    expect(moments()).toEqual([1, 3]);
  });

  test('when samples must be durable, they go at once in batches, and it resolves only when all are', async () => {
    const { clock, moments, handOver, answerWith, calls } = setUp({ batchSamples: 2 });
    const answers: (() => void)[] = [];
    answerWith(() => new Promise((resolve) => void answers.push(resolve)));
    let durable = false;
    const done = handOver
      .now([1, 2, 3].map(sample), new AbortController().signal)
      .then(() => void (durable = true));
    expect(calls()).toBe(2);
    answers[0]?.();
    await clock.advance(1);
    expect([durable, moments()]).toEqual([false, [1, 2]]);
    answers[1]?.();
    await done;
    expect(moments()).toEqual([1, 2, 3]);
  });

  test('when the limits change, the next look is by the new ones', async () => {
    const { clock, add, moments, handOver } = setUp();
    add(1);
    await clock.advance(1000);
    add(2);
    handOver.reconfigure({ commitMs: 2000, batchSamples: 100, batchBytes: 10_000 });
    await clock.advance(2000);
    expect(moments()).toEqual([1, 2]);
  });

  test('when the app stops, everything in memory goes first', async () => {
    const { clock, add, moments, handOver } = setUp({ batchSamples: 2 });
    add(1);
    await clock.advance(1000);
    add(2, 3, 4, 5);
    expect(await handOver.stop(new AbortController().signal)).toBe(0);
    expect(moments()).toEqual([1, 2, 3, 4, 5]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('when the gateway is away for the whole stop, it ends and says how many samples are lost', async () => {
    const { clock, add, handOver, answerWith } = setUp({ commitMs: 0 });
    answerWith(untilAborted);
    add(1, 2);
    await clock.advance(0);
    add(3);
    const deadline = new AbortController();
    const stopped = handOver.stop(deadline.signal);
    deadline.abort();
    expect(await stopped).toBe(3);
  });
});
