import type { Sample } from '@bowline/messages';
import type { Moment } from '../sample.ts';
import { MOST_AHEAD_MS } from './own-moments.ts';
import type { GivenSample } from '../../bodies.ts';

/**
 * A given sample with its moment: of now, or read from this device's clock by the program that gave it. While that clock is not known to be right, it gets boot id and monotonic time as our own samples do.
 */
export function stamp({ quality, ...sample }: GivenSample & { at: number }, now: Moment): Sample {
  const { at } = sample;
  if (quality !== undefined) return { ...sample, quality };
  if (now.quality === 'good') return { ...sample, quality: 'good' };
  const monoMs = Math.round(now.monoMs + (at - now.at));
  const isOfThisBoot = monoMs >= 0 && monoMs <= now.monoMs + MOST_AHEAD_MS;
  return { ...sample, quality: now.quality, ...(isOfThisBoot ? { bootId: now.bootId, monoMs } : {}) };
}
