import { ContractError } from '@bowline/runtime/errors';
import type { GivenSample } from '../../bodies.ts';
import { seriesName } from '../series-name.ts';
import { pointsOf, type Point } from './data-points.ts';
import { attributesIn, listIn, objectIn, type Json } from './read-json.ts';

export interface DecodedMetrics {
  samples: GivenSample[];
  /** Data points that could not be taken, and why the first of them. */
  rejected: number;
  why: string | undefined;
}

/** Of the resource these tell apart who measured; the rest is the same for all that comes from this device. */
const TELLING = ['service.name', 'service.instance.id'];
const UNIT_CHARS = 32;

/**
 * An ExportMetricsServiceRequest of OTLP as JSON. What is unknown in it is ignored, as OTLP wants it; a data point that
 * cannot be taken is counted, and the others are.
 *
 * @param name how series are called
 * @throws ContractError `broken-json`, `invalid`, `too-many-samples`.
 */
export function decodeMetrics(text: string, mostSamples: number, name = seriesName): DecodedMetrics {
  const decoded: DecodedMetrics = { samples: [], rejected: 0, why: undefined };
  for (const resourceMetrics of listIn(requestIn(text)['resourceMetrics']).map(objectIn)) {
    const who = attributesIn(objectIn(resourceMetrics['resource'])['attributes']).filter(
      // The default of an SDK that was told nothing.
      ([key, value]) => TELLING.includes(key) && !value.startsWith('unknown_service'),
    );
    for (const scope of listIn(resourceMetrics['scopeMetrics']).map(objectIn))
      for (const metric of listIn(scope['metrics']).map(objectIn))
        take(metric, { who, decoded, mostSamples, seriesOf: name });
  }
  return decoded;
}

function requestIn(text: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ContractError('broken-json', `the body is not JSON: ${(error as Error).message}`);
  }
  const request = objectIn(value);
  if (!Array.isArray(request['resourceMetrics']))
    throw new ContractError('invalid', 'the body has no list "resourceMetrics": it is no OTLP metrics');
  return request;
}

interface Taking {
  who: [string, string][];
  decoded: DecodedMetrics;
  mostSamples: number;
  seriesOf: typeof seriesName;
}

function take(metric: Json, { who, decoded, mostSamples, seriesOf }: Taking): void {
  const { name, unit } = metric;
  const { points, rejected, why } = pointsOf(metric);
  const isNamed = typeof name === 'string' && name !== '';
  decoded.rejected += isNamed ? rejected : rejected + points.length;
  decoded.why ??= isNamed || points.length === 0 ? why : 'a metric has no name';
  if (!isNamed) return;
  for (const point of points)
    decoded.samples.push(...samplesOf(point, who, textIn(unit), (parts) => seriesOf(name, parts)));
  if (decoded.samples.length > mostSamples)
    throw new ContractError(
      'too-many-samples',
      `more than ${mostSamples} samples in one request: nothing was taken`,
    );
}

function samplesOf(
  point: Point,
  who: [string, string][],
  unit: string,
  seriesOf: (parts: string[]) => string,
): GivenSample[] {
  const parts = [...who, ...point.attributes].flat();
  return point.values.map(({ part, value, isOfUnit }) => ({
    series: seriesOf(part === undefined ? parts : [...parts, ...part]),
    value,
    ...(point.atMs === undefined ? {} : { at: point.atMs }),
    ...(isOfUnit && unit !== '' ? { unit } : {}),
  }));
}

const textIn = (value: unknown): string => (typeof value === 'string' ? value.slice(0, UNIT_CHARS) : '');
