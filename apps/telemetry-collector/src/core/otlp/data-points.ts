import { doubtOf } from '../ingest/plausible-time.ts';
import { attributesIn, listIn, nanosecondsIn, numberIn, objectIn, type Json } from './read-json.ts';

/** One data point of a metric, as the values that become samples. */
export interface Point {
  attributes: [string, string][];
  /** Undefined: not said. */
  atMs: number | undefined;
  values: PointValue[];
}

export interface PointValue {
  /** What of the point it is, where that is more than one value: `count`; `le`, `5`. */
  part: string[] | undefined;
  value: number;
  /** Whether it has the metric's unit; a count has none. */
  isOfUnit: boolean;
}

/** A point with more buckets or quantiles than this is not taken. */
const MOST_PARTS = 200;
/** Of `flags`: there is no value. */
const NO_RECORDED_VALUE = 1;

/** Data points of the metric, whichever of OTLP's kinds it is. */
export function pointsOf(metric: Json): { points: Point[]; rejected: number; why: string | undefined } {
  const kind = KINDS.find((name) => metric[name] !== undefined);
  if (kind === undefined) return { points: [], rejected: 0, why: undefined };
  const given = listIn(objectIn(metric[kind])['dataPoints']).map(objectIn);
  const points: Point[] = [];
  let rejected = 0;
  for (const point of given) {
    if ((numberIn(point['flags']) ?? 0) % 2 === NO_RECORDED_VALUE) continue;
    const values = VALUES[kind](point);
    const atMs = nanosecondsIn(point['timeUnixNano']);
    if (values === undefined || values.length > MOST_PARTS || doubtOf(atMs) !== undefined) rejected += 1;
    else points.push({ attributes: attributesIn(point['attributes']), atMs, values });
  }
  const why =
    rejected === 0 ? undefined : `a data point of ${String(metric['name'])} has no value to take, or no time`;
  return { points, rejected, why };
}

const KINDS = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'] as const;

const VALUES: Record<(typeof KINDS)[number], (point: Json) => PointValue[] | undefined> = {
  gauge: numberValue,
  sum: numberValue,
  histogram: (point) => {
    const whole = wholeValues(point);
    const bounds = listIn(point['explicitBounds']).map(numberIn);
    const counts = listIn(point['bucketCounts']).map(numberIn);
    if (whole === undefined || (counts.length > 0 && counts.length !== bounds.length + 1)) return undefined;
    let below = 0;
    const buckets = bounds.map((bound, index) => {
      below += counts[index] ?? Number.NaN;
      return { part: ['le', String(bound)], value: below, isOfUnit: false };
    });
    const all = counts.length === 0 ? whole : [...whole, ...buckets];
    return all.every(({ value }) => Number.isFinite(value)) ? all : undefined;
  },
  // Its buckets have no names that would stay: their scale changes.
  exponentialHistogram: wholeValues,
  summary: (point) => {
    const whole = wholeValues(point);
    const quantiles = listIn(point['quantileValues']).map(objectIn);
    return whole?.concat(
      quantiles.flatMap(({ quantile, value: given }) => {
        const value = numberIn(given ?? 0);
        return value === undefined
          ? []
          : [{ part: ['quantile', String(numberIn(quantile) ?? 0)], value, isOfUnit: true }];
      }),
    );
  },
};

function numberValue({ asDouble, asInt }: Json): PointValue[] | undefined {
  const value = numberIn(asDouble ?? asInt);
  return value === undefined ? undefined : [{ part: undefined, value, isOfUnit: true }];
}

/** Of a distribution as a whole. `count` left out is 0 (proto3). */
function wholeValues({ count, sum, min, max }: Json): PointValue[] | undefined {
  const counted = numberIn(count ?? 0);
  if (counted === undefined) return undefined;
  const named = Object.entries({ sum, min, max }).flatMap(([name, given]) => {
    const value = numberIn(given);
    return value === undefined ? [] : [{ part: [name], value, isOfUnit: true }];
  });
  return [{ part: ['count'], value: counted, isOfUnit: false }, ...named];
}
