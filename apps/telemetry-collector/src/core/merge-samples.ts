import type { Sample } from '@bowline/messages';

/** An average needs no more digits than this; fewer cost fewer bytes. */
const DIGITS = 12;

/**
 * One sample for two of the same series, the earlier first: their average, with `count`, `min` and `max` (protocol, section
 * 5). Undefined if there is no such thing: texts, truth values, other units, or moments that are not known in the same way.
 */
export function mergeSamples(a: Sample, b: Sample): Sample | undefined {
  const { value: x } = a;
  const { value: y } = b;
  if (typeof x !== 'number' || typeof y !== 'number') return undefined;
  if (a.unit !== b.unit || a.quality !== b.quality || a.bootId !== b.bootId) return undefined;
  const [m, n] = [a.count ?? 1, b.count ?? 1];
  // By shares: a difference of large values would be no number any more.
  const average = (left: number, right: number) => left * (m / (m + n)) + right * (n / (m + n));
  return {
    ...a,
    at: Math.round(average(a.at, b.at)),
    value: Number(average(x, y).toPrecision(DIGITS)),
    ...(a.monoMs === undefined || b.monoMs === undefined
      ? {}
      : { monoMs: Math.round(average(a.monoMs, b.monoMs)) }),
    count: Math.min(m + n, Number.MAX_SAFE_INTEGER),
    min: Math.min(a.min ?? x, b.min ?? y),
    max: Math.max(a.max ?? x, b.max ?? y),
  };
}
