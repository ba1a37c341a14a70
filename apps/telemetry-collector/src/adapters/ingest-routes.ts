import { ContractError } from '@bowline/runtime/errors';
import { decodeEvent, decodeKey } from '../core/ingest/decode-event.ts';
import { decodeSamples, formatOf, type BodyFormat } from '../core/ingest/decode-samples.ts';
import type { Ingest } from '../core/ingest/ingest.ts';
import type { Route } from './http-endpoint.ts';

/** What programs of this device may ask of the ingest's socket (docs/telemetry.md). */
export function ingestRoutes(ingest: Ingest, limits: () => { requestSamples: number }): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/samples',
      admit: (headers) => void mustBe(headers['content-type'], ['json', 'ndjson']),
      handle: async ({ query, headers, body }) => {
        const format = mustBe(headers['content-type'], ['json', 'ndjson']);
        const samples = decodeSamples(body, format, limits().requestSamples);
        const durable = isAsked(query.get('durable'));
        const sameMoment = durable ? await ingest.durableSamples(samples) : ingest.samples(samples);
        return {
          status: durable ? 201 : 202,
          body: { accepted: samples.length, durable, ...(sameMoment > 0 ? { sameMoment } : {}) },
        };
      },
    },
    {
      method: 'POST',
      path: '/v1/events',
      admit: (headers) => void mustBe(headers['content-type'], ['json']),
      handle: async ({ headers, body }) => {
        const { id, repeated } = await ingest.event(decodeEvent(body), decodeKey(headers['idempotency-key']));
        return { status: 201, body: { id, repeated, durable: true } };
      },
    },
  ];
}

const NAMES: Record<BodyFormat, string> = { json: 'application/json', ndjson: 'application/x-ndjson' };

function mustBe(contentType: string | undefined, formats: readonly BodyFormat[]): BodyFormat {
  const format = formatOf(contentType);
  if (format !== undefined && formats.includes(format)) return format;
  const wanted = formats.map((each) => NAMES[each]).join(' or ');
  throw new ContractError(
    'unsupported-media-type',
    `content-type must be ${wanted}, not ${contentType ?? 'absent'}`,
  );
}

/** @throws ContractError `invalid`: whoever misspells it would take 202 for 201. */
function isAsked(flag: string | null): boolean {
  if (flag === null || flag === '0' || flag === 'false') return false;
  if (flag === '1' || flag === 'true') return true;
  throw new ContractError('invalid', `durable must be 1 or 0, not "${flag}"`);
}
