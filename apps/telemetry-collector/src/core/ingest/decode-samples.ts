import { ContractError } from '@bowline/runtime/errors';
import { doubtOf } from './plausible-time.ts';
import { isTooLarge, TOO_LARGE } from './too-large.ts';
import { sample as validSample } from '../../generated/ingest.js';
import type { GivenSample } from '../../bodies.ts';

export type BodyFormat = 'json' | 'ndjson';

/** Which body a content type promises; undefined if it is none that we read. */
export function formatOf(contentType: string | undefined): BodyFormat | undefined {
  const [type = ''] = (contentType ?? '').toLowerCase().split(';');
  if (type.trim() === 'application/json') return 'json';
  return ['application/x-ndjson', 'application/ndjson', 'application/jsonl'].includes(type.trim())
    ? 'ndjson'
    : undefined;
}

/** So many faults are told; the rest is counted. */
const MOST_FAULTS = 10;

/**
 * One sample, a list of them, or `{ samples: [...] }`; as NDJSON one sample a line. All or nothing: one that is wrong
 * refuses the whole body, so that whoever mends it may send it again as it was.
 *
 * @throws ContractError `broken-json`, `invalid`: says which and what (details `faults`); `too-many-samples`.
 */
export function decodeSamples(text: string, format: BodyFormat, mostSamples: number): GivenSample[] {
  const places = format === 'ndjson' ? linesOf(text, mostSamples) : samplesOf(parse(text, 'the body'));
  if (places.length === 0) throw new ContractError('invalid', 'there is no sample in the body');
  if (places.length > mostSamples) throw tooMany(mostSamples);
  const faults = places.flatMap(({ where, value }) => faultOf(value, where));
  if (faults.length > 0) throw invalid(faults);
  return places.map(({ value }) => value as GivenSample);
}

interface Place {
  where: string;
  value: unknown;
}

function samplesOf(body: unknown): Place[] {
  if (isObject(body) && Array.isArray(body['samples'])) {
    const [other] = Object.keys(body).filter((name) => name !== 'samples');
    if (other !== undefined) throw new ContractError('invalid', `unknown member "${other}" beside "samples"`);
    return body['samples'].map((value: unknown, index) => ({ where: `samples[${index}]`, value }));
  }
  if (Array.isArray(body)) return body.map((value: unknown, index) => ({ where: `[${index}]`, value }));
  return [{ where: '', value: body }];
}

function linesOf(text: string, most: number): Place[] {
  const lines = text.split('\n').map((line, index) => ({ where: `line ${index + 1}`, line: line.trim() }));
  const filled = lines.filter(({ line }) => line !== '');
  if (filled.length > most) throw tooMany(most);
  return filled.map(({ where, line }) => ({ where, value: parse(line, where) }));
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ContractError('broken-json', `${what} is not JSON: ${(error as Error).message}`);
  }
}

function faultOf(value: unknown, where: string): string[] {
  const at = where === '' ? '' : `${where}: `;
  if (!validSample(value)) return [`${at}${explain(validSample, value)}`];
  const { at: atMs } = value as GivenSample;
  const doubt = doubtOf(atMs);
  return doubt === undefined ? [] : [`${at}"at" is in milliseconds since 1970, and ${atMs} ${doubt}`];
}

/** As a compiled schema tells it. */
interface Fault {
  keyword: string;
  instancePath: string;
  params: unknown;
  message?: string;
}

/** In words of whoever wrote the sample. */
export function explain(
  { errors }: { errors?: Fault[] | null },
  value: unknown,
  example = '{"series":"temperature","value":21.5}',
): string {
  if (!isObject(value)) return `must be an object such as ${example}`;
  const [error] = errors ?? [];
  if (error === undefined) return 'is not valid';
  const name = error.instancePath.slice(1);
  if (isTooLarge(value[name])) return `"${name}" ${TOO_LARGE}`;
  return describe(error);
}

function describe({ keyword, instancePath, params, message }: Fault): string {
  const name = instancePath.slice(1);
  const facts = params as Record<string, unknown>;
  if (keyword === 'required') return `"${String(facts['missingProperty'])}" is missing`;
  if (keyword === 'additionalProperties') return `unknown member "${String(facts['additionalProperty'])}"`;
  if (keyword === 'pattern')
    return `"${name}" must begin with a letter or digit and hold only letters, digits and . _ : / - (at most 128)`;
  if (keyword === 'enum') return `"${name}" must be one of ${String(facts['allowedValues'])}`;
  return `"${name}" ${message ?? 'is not valid'}`;
}

function invalid(faults: readonly string[]): ContractError {
  const [first = ''] = faults;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  return new ContractError('invalid', `${first}${more}; nothing was taken`, {
    details: { faults: faults.slice(0, MOST_FAULTS) },
  });
}

const tooMany = (most: number) =>
  new ContractError(
    'too-many-samples',
    `more than ${most} samples in one request: send them in several; nothing was taken`,
  );

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
