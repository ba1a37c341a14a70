import { FakeClock } from '@bowline/testing';
import { describe, expect, it } from 'vitest';
import { compare, readNetwork, Surroundings, type Disturbance } from './surroundings.ts';

const at = { network: 'eth0 10.0.0.2', wallMs: 1_000_000, monotonicMs: 500 };
const later = (change: Partial<typeof at>) => ({
  ...at,
  wallMs: at.wallMs + 2000,
  monotonicMs: 2500,
  ...change,
});

describe('compare', () => {
  it.each([
    ['nothing changed', later({}), undefined],
    ['an address changed', later({ network: 'wwan0 10.9.0.2' }), 'network-changed'],
    ['the clock was set forward', later({ wallMs: at.wallMs + 3_600_000 }), 'clock-jumped'],
    ['the clock was set back by decades', later({ wallMs: 0 }), 'clock-jumped'],
    ['the machine slept for an hour', later({ wallMs: at.wallMs + 3_602_000 }), 'clock-jumped'],
    ['a tick came 6 s late', later({ wallMs: at.wallMs + 8000, monotonicMs: 8500 }), 'event-loop-stuck'],
    ['a tick came 1 s late', later({ wallMs: at.wallMs + 3000, monotonicMs: 3500 }), undefined],
  ] as const)('when %s, it says so', (_, now, expected) => {
    expect(compare(at, now)).toBe(expected);
  });
});

describe('Surroundings', () => {
  it('when the network changes, it is told once, and not again until the next change', async () => {
    const clock = new FakeClock();
    let network = 'a';
    const told: Disturbance[] = [];
    const surroundings = new Surroundings({
      clock,
      readNetwork: () => network,
      disturbed: (what) => told.push(what),
    });
    surroundings.start();
    await clock.advance(10_000);
    network = 'b';
    await clock.advance(10_000);
    expect(told).toEqual(['network-changed']);
    surroundings.stop();
    network = 'c';
    await clock.advance(10_000);
    expect(told).toHaveLength(1);
  });
});

describe('readNetwork', () => {
  it('when it is read twice on a machine at rest, it is the same text', () => {
    expect(readNetwork()).toBe(readNetwork());
  });
});
