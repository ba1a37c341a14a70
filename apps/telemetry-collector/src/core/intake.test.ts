import type { Sample } from '@bowline/messages';
import { FakeClock } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { Intake } from './intake.ts';
import { SampleBuffer } from './sample-buffer.ts';

function setUp(now: () => Promise<void> = () => Promise.resolve()) {
  const buffer = new SampleBuffer({ samples: 10, bytes: 10_000 });
  const history: Sample[] = [];
  const notes: string[] = [];
  let noticed = 0;
  const intake = new Intake({
    buffer,
    handOver: { noticed: () => void (noticed += 1), now },
    clock: new FakeClock(),
    sinks: [{ add: (samples) => void history.push(...samples) }],
    notes: { note: (code, series) => void notes.push(`${code} ${series}`) },
  });
  const buffered = () => buffer.take({ samples: 10, bytes: 10_000 }).entries.map(({ sample }) => sample);
  return { intake, history, buffered, notes, noticed: () => noticed };
}
const samples: Sample[] = [
  { series: 'a', at: 1, value: 1 },
  { series: 'b', at: 1, value: 2 },
];

describe('Intake', () => {
  test('when samples are accepted, history and buffer have each of them, and the hand-over looks', () => {
    const { intake, history, buffered, noticed } = setUp();
    intake.accept(samples);
    intake.accept([]);
    expect(history).toEqual(samples);
    expect(buffered()).toEqual(samples);
    expect(noticed()).toBe(1);
  });

  test('when they are to be durable, the history has them once they are, and the buffer never', async () => {
    let stored = () => {};
    const { intake, history, buffered } = setUp(() => new Promise((resolve) => (stored = resolve)));
    const done = intake.acceptDurably(samples, new AbortController().signal);
    expect(history).toEqual([]);
    stored();
    await done;
    expect(history).toEqual(samples);
    expect(buffered()).toEqual([]);
  });

  test('when a sink keeps samples for itself, the buffer does not get them, until it hands them back', () => {
    const buffer = new SampleBuffer({ samples: 10, bytes: 10_000 });
    const handOver = { noticed: () => {}, now: () => Promise.resolve() };
    const intake = new Intake({
      buffer,
      handOver,
      clock: new FakeClock(),
      sinks: [{ add: () => true }],
      notes: { note: () => {} },
    });
    intake.accept(samples);
    expect(buffer.samples).toBe(0);
    intake.handBack(samples);
    expect(buffer.samples).toBe(2);
  });

  test('when two values are of one moment, it is said, and a repeat is none', async () => {
    const { intake, notes } = setUp();
    expect(intake.accept(samples)).toBe(0);
    expect(intake.accept(samples)).toBe(0);
    const { signal } = new AbortController();
    expect(await intake.acceptDurably([{ series: 'b', at: 1, value: 3 }], signal)).toBe(1);
    expect(intake.accept([{ series: 'b', at: 2, value: 3 }])).toBe(0);
    expect(
      intake.accept([
        { series: 'a', at: 2, value: 1 },
        { series: 'a', at: 2, value: 2 },
      ]),
    ).toBe(1);
    expect(notes).toEqual(['same-moment b', 'same-moment a']);
  });

  test('when the clock has become right, what waits from before is corrected', () => {
    const { intake, buffered } = setUp();
    const bootId = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
    const before: Sample = { series: 'a', at: 5, value: 1, quality: 'unsynchronised', bootId, monoMs: 5 };
    const other = { ...before, bootId: '00000000-0000-4000-8000-000000000000' };
    intake.accept([before, other, { series: 'a', at: 7, value: 1, quality: 'good' }]);
    intake.synchronised({ bootId, offsetMs: 1_750_000_000_000 });
    expect(buffered()).toEqual([
      { series: 'a', at: 1_750_000_000_005, value: 1, quality: 'estimated' },
      other,
      { series: 'a', at: 7, value: 1, quality: 'good' },
    ]);
  });
});
