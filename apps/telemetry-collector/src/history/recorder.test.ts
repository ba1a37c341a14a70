import type { Sample } from '@bowline/messages';
import { RELEASED_AT } from '@bowline/runtime';
import { TransientError } from '@bowline/runtime/errors';
import { FakeClock } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { Recorder } from './recorder.ts';
import { Spill } from './spill.ts';

const MINUTE = 60_000;
const sample = (n: number): Sample => ({ series: 'a', at: n, value: n });

/** To a history that has as many series as it may. */
const isKnown = ({ series }: Sample): boolean => series !== 'too-many';

function setUp({ spillAfterMs = 10 * MINUTE } = {}) {
  const clock = new FakeClock();
  const recorded: { n: number[]; unsent: boolean }[] = [];
  const handedBack: Sample[] = [];
  const state = {
    online: true,
    gateway: true,
    full: false,
    sealed: 0,
    putRight: '',
    /** Steps that it takes to make blocks and room. */
    steps: 1,
    tidied: 0,
    tidiedAt: undefined as number | undefined,
    serverMs: undefined as number | undefined,
  };
  const recorder = new Recorder({
    history: {
      record: (samples, { unsent }) => {
        if (state.full) throw new TransientError('history-refused', 'the disk is full');
        const [taken, leftOut] = [samples.filter(isKnown), samples.filter((each) => !isKnown(each))];
        recorded.push({ n: taken.map(({ at }) => at), unsent });
        return leftOut;
      },
      putRight: (bootId) => {
        if (state.full) throw new TransientError('history-refused', 'the disk is full');
        state.putRight = bootId;
      },
      *tidying(at) {
        state.tidiedAt = at;
        for (state.sealed += 1; state.tidied < state.steps; yield) state.tidied += 1;
        state.tidied = 0;
      },
    },
    spill: new Spill(() => ({ afterMs: spillAfterMs, gatewayAfterMs: MINUTE }), clock.monotonicMs()),
    limits: { retryMs: MINUTE, commitMs: 30_000, commitSamples: 5, sealMs: 15 * MINUTE, sealSamples: 20 },
    reach: () => ({ online: state.online, gateway: state.gateway }),
    serverMs: () => state.serverMs,
    handBack: (samples) => void handedBack.push(...samples),
    clock,
    log: { warn() {}, info() {} },
  });
  return { clock, recorder, recorded, handedBack, state };
}

describe('Recorder', () => {
  test('when samples come in, they are recorded together after a while, or as soon as there are many', async () => {
    const { clock, recorder, recorded } = setUp();
    expect(recorder.add([sample(1)])).toBe(false);
    recorder.add([sample(2)]);
    await clock.advance(29_999);
    expect(recorded).toEqual([]);
    await clock.advance(1);
    expect(recorded).toEqual([{ n: [1, 2], unsent: false }]);
    recorder.add([3, 4, 5, 6, 7].map(sample));
    expect(recorded).toHaveLength(2);
  });

  test('when the gateway itself is away, samples are ours alone much sooner; 0 means never', async () => {
    for (const spillAfterMs of [10 * MINUTE, 0]) {
      const { clock, recorder, state } = setUp({ spillAfterMs });
      recorder.add([sample(1)]);
      Object.assign(state, { online: false, gateway: false });
      expect(recorder.add([sample(2)])).toBe(false);
      await clock.advance(MINUTE);
      expect(recorder.add([sample(3)])).toBe(spillAfterMs > 0);
      state.gateway = true;
      expect(recorder.add([sample(4)])).toBe(false);
    }
  });

  test('when the history cannot put right what it has, it says so and does it with the next blocks', async () => {
    const { clock, recorder, state } = setUp();
    state.full = true;
    expect(recorder.synchronised({ bootId: 'b', offsetMs: 1 })).toBe(false);
    state.full = false;
    await clock.advance(15 * MINUTE);
    expect(state.putRight).toBe('b');
    state.putRight = '';
    await clock.advance(15 * MINUTE);
    expect(state.putRight).toBe('');
    expect(recorder.synchronised({ bootId: 'c', offsetMs: 1 })).toBe(true);
  });

  test('when there are too many series, samples of further ones are left out or handed back, the others recorded', async () => {
    const { clock, recorder, recorded, handedBack, state } = setUp();
    const further = { series: 'too-many', at: 1, value: 1 };
    recorder.add([further, sample(2)]);
    recorder.commit();
    expect([recorder.unrecorded, handedBack]).toEqual([1, []]);
    state.online = false;
    recorder.add([]);
    await clock.advance(10 * MINUTE);
    expect(recorder.add([further, sample(3)])).toBe(true);
    recorder.commit();
    expect(handedBack).toEqual([further]);
    expect(recorded).toEqual([
      { n: [2], unsent: false },
      { n: [3], unsent: true },
    ]);
  });

  test('when the cloud has been away for long, samples are ours alone, until it is back', async () => {
    const { clock, recorder, recorded, state } = setUp();
    recorder.add([sample(1)]);
    state.online = false;
    expect(recorder.add([sample(2)])).toBe(false);
    await clock.advance(10 * MINUTE);
    expect(recorder.add([sample(3)])).toBe(true);
    // Made durable by its sender: the gateway has it.
    expect(recorder.add([sample(4)], true)).toBe(false);
    state.online = true;
    expect(recorder.add([sample(5)])).toBe(false);
    recorder.commit();
    expect(recorded.slice(1)).toEqual([
      { n: [3], unsent: true },
      { n: [4, 5], unsent: false },
    ]);
  });

  test('when it is told never to keep samples alone, the gateway always gets them', async () => {
    const { clock, recorder, state } = setUp({ spillAfterMs: 0 });
    state.online = false;
    await clock.advance(100 * MINUTE);
    expect(recorder.add([sample(1)])).toBe(false);
  });

  test('when the disk is full, what was ours alone goes back to the gateway, and what comes then, too', async () => {
    const { clock, recorder, recorded, handedBack, state } = setUp();
    state.online = false;
    recorder.add([sample(0)]);
    await clock.advance(10 * MINUTE);
    state.full = true;
    expect(recorder.add([sample(1), sample(2)])).toBe(true);
    await clock.advance(30_000);
    expect(handedBack).toEqual([sample(1), sample(2)]);
    expect(recorder.add([sample(3)])).toBe(false);
    state.full = false;
    await clock.advance(2 * MINUTE);
    expect(recorder.add([sample(4)])).toBe(true);
    recorder.stop();
    expect(recorded).toEqual([
      { n: [0], unsent: false },
      { n: [3], unsent: false },
      { n: [4], unsent: true },
    ]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('when the disk stays full, what waits in memory is bounded, and what is left out counted', () => {
    const { recorder, state } = setUp();
    state.full = true;
    for (let n = 0; n < 80; n += 1) recorder.add([sample(n)]);
    expect(recorder.unrecorded).toBe(30);
    recorder.stop();
  });

  test('when a quarter of an hour has passed, blocks are made and room', async () => {
    const { clock, recorder, recorded, state } = setUp();
    await clock.advance(15 * MINUTE - 1);
    recorder.add([sample(1)]);
    await clock.advance(1);
    expect([recorded.length, state.sealed]).toEqual([1, 1]);
  });

  test('when many samples have been recorded, blocks are made at once', () => {
    const { recorder, state } = setUp();
    for (let n = 0; n < 19; n += 1) recorder.add([sample(n)]);
    expect(state.sealed).toBe(0);
    for (let n = 19; n < 25; n += 1) recorder.add([sample(n)]);
    expect(state.sealed).toBe(1);
    recorder.stop();
  });

  test('when it takes many steps, others get their turn between them, and no second one begins beside it', async () => {
    const { clock, recorder, recorded, state } = setUp();
    state.steps = 3;
    for (let n = 0; n < 45; n += 1) recorder.add([sample(n)]);
    expect([state.sealed, state.tidied]).toEqual([1, 1]);
    expect(recorded).toHaveLength(9);
    await clock.advance(0);
    // What came meanwhile was as much again.
    expect([state.sealed, state.tidied]).toEqual([2, 0]);
    state.steps = 1000;
    for (let n = 0; n < 20; n += 1) recorder.add([sample(n)]);
    recorder.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test.each([
    ["the server's time is", 100, 0],
    ["this device's clock is", 0, 100],
  ])('when %s far ahead, nothing is too old for that', async (_, serverYears, deviceYears) => {
    const { clock, state } = setUp();
    clock.setWallMs(RELEASED_AT);
    const now = clock.wallMs();
    const ahead = (years: number) => now + years * 365 * 24 * 60 * MINUTE;
    await clock.advance(15 * MINUTE);
    expect([state.sealed, state.tidiedAt]).toEqual([1, undefined]);
    state.serverMs = ahead(serverYears);
    clock.setWallMs(ahead(deviceYears));
    await clock.advance(15 * MINUTE);
    expect(Math.abs((state.tidiedAt ?? 0) - now)).toBeLessThanOrEqual(15 * MINUTE);
  });

  test('when the clock of this device was never set, ages count by the server', async () => {
    const { clock, state } = setUp();
    state.serverMs = clock.wallMs();
    clock.setWallMs(0);
    await clock.advance(15 * MINUTE);
    expect(state.tidiedAt).toBe(state.serverMs);
  });

  test('when the clock has become right, what waits is put right', () => {
    const { recorder, recorded, state } = setUp();
    const bootId = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
    recorder.add([{ series: 'a', at: 5, value: 1, quality: 'unsynchronised', bootId, monoMs: 5 }]);
    recorder.synchronised({ bootId, offsetMs: 1000 });
    recorder.commit();
    expect(recorded).toEqual([{ n: [1005], unsent: false }]);
    expect(state.putRight).toBe(bootId);
  });
});
