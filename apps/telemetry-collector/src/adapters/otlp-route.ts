import { ContractError } from '@bowline/runtime/errors';
import { formatOf } from '../core/ingest/decode-samples.ts';
import type { Ingest } from '../core/ingest/ingest.ts';
import { decodeMetrics } from '../core/otlp/decode-metrics.ts';
import type { seriesName } from '../core/series-name.ts';
import type { Route } from './http-endpoint.ts';

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

/**
 * OTLP/HTTP for metrics, as JSON. It is on a port of loopback, which a web page in a browser on this device can reach as
 * well: so what only a browser sends is refused (Origin; a Host that resolves here by rebinding), and the content type is one
 * that a page cannot send elsewhere without asking first.
 */
export function otlpRoute(
  ingest: Ingest,
  limits: () => { requestSamples: number },
  name: typeof seriesName,
): Route {
  return {
    method: 'POST',
    path: '/v1/metrics',
    admit: (headers) => {
      if (headers.origin !== undefined)
        throw new ContractError('forbidden', 'web pages may not hand in metrics (Origin)');
      if (!LOOPBACK.test(headers.host ?? ''))
        throw new ContractError('forbidden', `Host must be localhost, not ${headers.host ?? 'absent'}`);
      if (formatOf(headers['content-type']) !== 'json') {
        throw new ContractError(
          'unsupported-media-type',
          `content-type must be application/json, not ${headers['content-type'] ?? 'absent'}: set the exporter's protocol to http/json`,
        );
      }
    },
    handle: ({ body }) => {
      const { samples, rejected, why } = decodeMetrics(body, limits().requestSamples, name);
      if (samples.length > 0) ingest.samples(samples);
      const partialSuccess = { rejectedDataPoints: String(rejected), errorMessage: why ?? '' };
      return { status: 200, body: rejected > 0 ? { partialSuccess } : {} };
    },
  };
}
