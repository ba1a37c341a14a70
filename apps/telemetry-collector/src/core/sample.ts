import type { Sample } from '@bowline/messages';
import { seriesName } from './series-name.ts';
import type { TimeQuality } from './timeline.ts';

/** One value of one metric, before it has a name on the wire and a moment. */
export interface Reading {
  /** The metric's name in OpenTelemetry's semantic conventions. */
  metric: string;
  /** Values of the attributes that tell its series apart: a mount point; an interface and a direction; a sensor. */
  attributes?: readonly string[];
  value: number | string;
  /** UCUM, as the semantic conventions have it; a text has none. */
  unit?: string;
}

/** When a reading was taken, by the {@link Timeline}. */
export interface Moment {
  /** Epoch milliseconds. */
  at: number;
  /** Milliseconds since boot. */
  monoMs: number;
  bootId: string;
  quality: TimeQuality;
}

/** A sample as the contract has it, or none if the value is no number that JSON can hold. */
export function toSample(
  reading: Reading,
  { at, monoMs, bootId, quality }: Moment,
  name = seriesName,
): Sample | undefined {
  if (typeof reading.value === 'number' && !Number.isFinite(reading.value)) return undefined;
  const sample = {
    series: name(reading.metric, reading.attributes),
    at: Math.round(at),
    value: reading.value,
    ...(reading.unit === undefined ? {} : { unit: reading.unit }),
    quality,
  };
  // What may be corrected later is, by boot id and monotonic time (protocol, section 5, Time).
  return quality === 'good' ? sample : { ...sample, bootId, monoMs: Math.round(monoMs) };
}

/** A moment of a boot: its monotonic time plus the offset. */
export interface KnownOffset {
  bootId: string;
  offsetMs: number;
}

/** The sample at its right moment, if it is one of that boot from before the clock was known to be right. */
export function corrected(sample: Sample, { bootId, offsetMs }: KnownOffset): Sample {
  const { monoMs, bootId: ofBoot, ...rest } = sample;
  if (sample.quality !== 'unsynchronised' || ofBoot !== bootId || monoMs === undefined) return sample;
  return { ...rest, at: Math.max(0, Math.round(monoMs + offsetMs)), quality: 'estimated' };
}
