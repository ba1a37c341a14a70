import { describe, expect, it } from 'vitest';
import { nextAttempt, type LinkEnd, type ReconnectInput } from './reconnect.ts';

const input = (end: LinkEnd, change: Partial<ReconnectInput> = {}): ReconnectInput => ({
  end,
  attempts: 0,
  uncounted: 0,
  signedAnew: false,
  random: 0.5,
  reconnect: { minMs: 0, maxMs: 1000 },
  baseMs: 1000,
  capMs: 120_000,
  ...change,
});
const closed = (code: number, retryAfterMs?: number): LinkEnd => ({
  kind: 'closed',
  code,
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
});
const delayMs = (end: LinkEnd, change: Partial<ReconnectInput> = {}) =>
  nextAttempt(input(end, change)).delayMs;

describe('nextAttempt', () => {
  it('when attempts fail in a row, the delay doubles up to its cap and keeps its jitter there', () => {
    const delays = [0, 1, 2, 7, 8, 100].map((attempts) => delayMs({ kind: 'failed' }, { attempts }));
    expect(delays).toEqual([500, 1000, 2000, 60_000, 60_000, 60_000]);
    expect(delayMs({ kind: 'failed' }, { attempts: 100, random: 0.1 })).toBe(12_000);
  });

  it('when the server drains, the device resumes at a jittered moment of its window and the count stays', () => {
    const verdict = nextAttempt(
      input(closed(1012), { attempts: 3, reconnect: { minMs: 2000, maxMs: 4000 } }),
    );
    expect(verdict).toMatchObject({ delayMs: 3000, attempts: 3 });
  });

  it('when the server is overloaded, it backs off at the cap from the first time on', () => {
    expect(delayMs(closed(1013))).toBe(60_000);
  });

  it('when the token is refused, it signs anew once and at once, then slows down', () => {
    expect(nextAttempt(input(closed(4401)))).toMatchObject({ delayMs: 0, signAnew: true });
    expect(nextAttempt(input({ kind: 'refused', status: 401 }))).toMatchObject({
      delayMs: 0,
      signAnew: true,
    });
    expect(delayMs(closed(4401), { signedAnew: true })).toBe(7.5 * 60_000);
  });

  it('when it is revoked, it tries again after an hour and never gives up', () => {
    for (const end of [closed(4403), { kind: 'refused', status: 403 } as const]) {
      expect(nextAttempt(input(end, { attempts: 1000 }))).toMatchObject({
        delayMs: 5_400_000,
        alarm: 'revoked',
      });
    }
  });

  it('when a newer connection replaced it, it waits a minute or more and raises a clone alarm', () => {
    expect(nextAttempt(input(closed(4409)))).toMatchObject({ delayMs: 90_000, alarm: 'clone-suspected' });
  });

  it('when the server drains again and again, or the store is renewed, each waits longer, though none counts as failed', () => {
    const ends: LinkEnd[] = [closed(1012), closed(1001), { kind: 'resume-anew' }];
    for (const end of ends) {
      const reconnect = { minMs: 0, maxMs: 10 };
      const delays = [];
      let [uncounted, attempts] = [0, 2];
      for (let n = 0; n < 20; n += 1) {
        const verdict = nextAttempt(input(end, { reconnect, uncounted, attempts }));
        ({ uncounted, attempts } = verdict);
        delays.push(verdict.delayMs);
      }
      expect(delays[0]).toBeLessThanOrEqual(500);
      expect(delays.slice(1, 4)).toEqual([1000, 2000, 4000]);
      expect(delays.at(-1)).toBe(60_000);
      expect(attempts).toBe(2);
    }
  });

  it('when it was too fast and is not told how long to wait, it backs off', () => {
    expect([0, 1, 2].map((attempts) => delayMs(closed(4429), { attempts }))).toEqual([500, 1000, 2000]);
  });

  it('when it is told how long to wait, it waits that long, but never more than an hour', () => {
    expect(delayMs(closed(4429, 5000))).toBe(5500);
    expect(delayMs({ kind: 'refused', status: 503, retryAfterMs: 5000 })).toBe(5500);
    expect(delayMs(closed(4429, 1e12))).toBe(3_600_500);
  });

  it('when the enrolment is refused, asking again slows down, since only a person can help', () => {
    expect(delayMs({ kind: 'enrolment-refused' })).toBe(7.5 * 60_000);
    expect(nextAttempt(input({ kind: 'enrolment-refused' })).alarm).toBeUndefined();
  });

  it('when the last welcome set a minimum, every back-off keeps it', () => {
    expect(delayMs({ kind: 'failed' }, { reconnect: { minMs: 10_000, maxMs: 20_000 } })).toBe(10_500);
  });
});
