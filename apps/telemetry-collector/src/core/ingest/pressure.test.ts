import { TransientError } from '@bowline/runtime/errors';
import { describe, expect, test } from 'vitest';
import { Pressure } from './pressure.ts';

const calm = { samples: 0, mostSamples: 100, gatewayIsThere: true };
const limits = {
  samplesPerSecond: 10,
  burstSamples: 20,
  eventsPerSecond: 2,
  burstEvents: 3,
  pressurePercent: 80,
};

function waitMsOf(work: () => void): number | undefined {
  try {
    work();
    return 0;
  } catch (error) {
    if (!(error instanceof TransientError)) throw error;
    return error.retryAfterMs;
  }
}

describe('Pressure', () => {
  test('when a burst is used up, it says when to come again, and then takes', () => {
    const pressure = new Pressure(limits, 0);
    pressure.admit(20, calm, 0);
    expect(waitMsOf(() => pressure.admit(5, calm, 0))).toBe(500);
    expect(waitMsOf(() => pressure.admit(5, calm, 499))).toBeGreaterThan(0);
    expect(waitMsOf(() => pressure.admit(5, calm, 500))).toBe(0);
  });

  test('when a request has more than a burst, it is taken from a full bucket and paid for afterwards', () => {
    const pressure = new Pressure(limits, 0);
    expect(waitMsOf(() => pressure.admit(40, calm, 0))).toBe(0);
    expect(waitMsOf(() => pressure.admit(1, calm, 0))).toBe(2100);
  });

  test('when the gateway is there and falls behind, nothing is taken; when it is away, everything is', () => {
    const pressure = new Pressure(limits, 0);
    expect(waitMsOf(() => pressure.admit(1, { ...calm, samples: 80 }, 0))).toBe(1000);
    expect(waitMsOf(() => pressure.admit(1, { ...calm, samples: 100, gatewayIsThere: false }, 0))).toBe(0);
  });

  test('when events come too fast, it says when to come again, whatever becomes of samples', () => {
    const pressure = new Pressure(limits, 0);
    pressure.admit(20, calm, 0);
    for (let event = 0; event < 3; event += 1) pressure.admitEvent(0);
    expect(waitMsOf(() => pressure.admitEvent(0))).toBe(500);
    expect(waitMsOf(() => pressure.admitEvent(499))).toBeGreaterThan(0);
    expect(waitMsOf(() => pressure.admitEvent(500))).toBe(0);
    expect(waitMsOf(() => pressure.admit(5, calm, 500))).toBe(0);
  });

  test('when the limits change, the new ones hold', () => {
    const pressure = new Pressure(limits, 0);
    pressure.admit(20, calm, 0);
    pressure.reconfigure({ ...limits, samplesPerSecond: 1000 });
    expect(waitMsOf(() => pressure.admit(10, calm, 10))).toBe(0);
  });
});
