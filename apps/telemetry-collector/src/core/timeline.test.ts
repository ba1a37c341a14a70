import type { Sample } from '@bowline/messages';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { corrected, toSample } from './sample.ts';
import { Timeline } from './timeline.ts';

const HOUR = 3_600_000;
const NOON = 1_750_000_000_000;

describe('Timeline', () => {
  test('when the clock is right, samples have its time', () => {
    const timeline = new Timeline();
    expect(timeline.now({ wallMs: NOON, monoMs: 5, trusted: true })).toEqual({
      at: NOON,
      quality: 'good',
      synchronisedNow: true,
    });
    expect(timeline.now({ wallMs: NOON + 10, monoMs: 15, trusted: true })).toEqual({
      at: NOON + 10,
      quality: 'good',
      synchronisedNow: false,
    });
  });

  test('when the clock becomes right for the first time, in either direction, it is followed at once and said', () => {
    for (const jump of [50 * 365 * 24 * HOUR, -HOUR]) {
      const timeline = new Timeline();
      timeline.now({ wallMs: NOON, monoMs: 0, trusted: false });
      const { at, quality, synchronisedNow } = timeline.now({
        wallMs: NOON + jump,
        monoMs: 1000,
        trusted: true,
      });
      expect([at, quality, synchronisedNow]).toEqual([NOON + jump, 'good', true]);
    }
  });

  test('when a right clock is put back, time goes on at half the speed until the clock has come up', () => {
    const timeline = new Timeline();
    timeline.now({ wallMs: NOON, monoMs: 0, trusted: true });
    const back = (monoMs: number) => timeline.now({ wallMs: NOON + monoMs - 10_000, monoMs, trusted: true });
    expect(back(1000)).toMatchObject({ at: NOON + 500, quality: 'estimated' });
    expect(back(10_000)).toMatchObject({ at: NOON + 5000, quality: 'estimated' });
    expect(back(20_000)).toMatchObject({ at: NOON + 10_000, quality: 'good' });
  });

  test('when a right clock goes wrong, its time is carried on by the monotonic one', () => {
    const timeline = new Timeline();
    timeline.now({ wallMs: NOON, monoMs: 0, trusted: true });
    const wrong = timeline.now({ wallMs: 0, monoMs: 60_000, trusted: false });
    expect(wrong).toEqual({ at: NOON + 60_000, quality: 'estimated', synchronisedNow: false });
  });

  test('when the process starts anew within the same boot, it goes on where it was', () => {
    const first = new Timeline();
    first.now({ wallMs: NOON, monoMs: 1000, trusted: false });
    const second = new Timeline(first.held);
    const { at, quality } = second.now({ wallMs: NOON - HOUR, monoMs: 2000, trusted: false });
    expect([at, quality]).toEqual([NOON + 1000, 'unsynchronised']);
  });

  test('when the clock jumps in any way at any time, no series goes backwards once it is corrected', () => {
    const step = fc.record({
      elapsedMs: fc.integer({ min: 1, max: HOUR }),
      jumpMs: fc.oneof(
        { weight: 3, arbitrary: fc.constant(0) },
        fc.integer({ min: -50 * 365 * 24 * HOUR, max: 50 * 365 * 24 * HOUR }),
        fc.integer({ min: -10_000, max: 10_000 }),
      ),
      trusted: fc.boolean(),
      restart: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 60 }), (steps) => {
        let timeline = new Timeline();
        let monoMs = 1000;
        let wallMs = 60 * 365 * 24 * HOUR;
        const samples: Sample[] = [];
        const offsets: number[] = [];
        for (const { elapsedMs, jumpMs, trusted, restart } of steps) {
          if (restart) timeline = new Timeline(timeline.held);
          monoMs += elapsedMs;
          // No clock of Linux can be set to before 1970.
          wallMs = Math.max(0, wallMs + elapsedMs + jumpMs);
          const { at, quality, synchronisedNow } = timeline.now({ wallMs, monoMs, trusted });
          if (synchronisedNow) offsets.push(at - monoMs);
          const reading = { metric: 'a', value: 1, unit: '1' };
          const sample = toSample(reading, { at, monoMs, bootId: 'b', quality });
          if (sample !== undefined) samples.push(sample);
        }
        expect(offsets.length).toBeLessThanOrEqual(1);
        const [offsetMs] = offsets;
        const moments = samples.map(
          (sample) => (offsetMs === undefined ? sample : corrected(sample, { bootId: 'b', offsetMs })).at,
        );
        expect(moments).toEqual(moments.toSorted((a, b) => a - b));
      }),
      { numRuns: 500 },
    );
  });
});
