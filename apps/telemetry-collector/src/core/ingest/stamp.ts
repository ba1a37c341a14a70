import type { Sample } from '@bowline/messages';
import type { Moment } from '../sample.ts';
import type { GivenSample } from '../../bodies.ts';

/**
 * A given sample with its moment. What has no `at` is of now. What has one was read from this device's clock by the program
 * that gave it: while that clock is not known to be right, it gets boot id and monotonic time as our own samples do.
 */
export function stamp(given: GivenSample, now: Moment): Sample {
  const { quality, ...rest } = given;
  const at = given.at ?? Math.round(now.at);
  const sample: Sample = { ...rest, at };
  if (quality !== undefined) return { ...sample, quality };
  if (now.quality === 'good') return { ...sample, quality: 'good' };
  const monoMs = Math.round(now.monoMs + (at - now.at));
  const isOfThisBoot = monoMs >= 0 && monoMs <= now.monoMs + 1;
  return { ...sample, quality: now.quality, ...(isOfThisBoot ? { bootId: now.bootId, monoMs } : {}) };
}
