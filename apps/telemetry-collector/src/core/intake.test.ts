import type { Sample } from '@bowline/messages';
import { FakeClock } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { Intake } from './intake.ts';
import { SampleBuffer } from './sample-buffer.ts';

describe('Intake', () => {
  test('when samples are accepted, history and buffer have each of them, and the hand-over looks', () => {
    const buffer = new SampleBuffer(10);
    const history: Sample[] = [];
    let noticed = 0;
    const intake = new Intake({
      buffer,
      handOver: { noticed: () => void (noticed += 1) },
      clock: new FakeClock(),
      sinks: [{ add: (samples) => void history.push(...samples) }],
    });
    const samples: Sample[] = [
      { series: 'a', at: 1, value: 1 },
      { series: 'b', at: 1, value: 2 },
    ];
    intake.accept(samples);
    intake.accept([]);
    expect(history).toEqual(samples);
    expect(buffer.take({ samples: 10, bytes: 10_000 }).entries.map(({ sample }) => sample)).toEqual(samples);
    expect(noticed).toBe(1);
  });
});
