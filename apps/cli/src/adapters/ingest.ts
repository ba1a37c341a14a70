import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '@bowline/runtime';
import { CliError, EXIT } from '../core/cli-error.ts';

export interface IngestCall {
  path: '/v1/samples' | '/v1/samples?durable=1' | '/v1/events';
  contentType: 'application/json' | 'application/x-ndjson';
  body: string;
  /** Of an event. */
  key?: string;
}

interface Answered {
  status: number;
  retryAfterMs: number | undefined;
  body: Record<string, unknown>;
}

/** The collector answers a request that waits for the disk within 14 s. */
const ANSWER_WITHIN_MS = 20_000;

/**
 * Asks the collector, over its ingest socket. One that is too busy is asked again when it says.
 *
 * @throws CliError `ingest-away`, or the code of its refusal.
 */
export async function askIngest(
  socket: string,
  call: IngestCall,
  { signal }: { signal: AbortSignal },
): Promise<Record<string, unknown>> {
  for (;;) {
    const {
      status,
      retryAfterMs = 1000,
      body,
    } = await send(socket, call, signal).catch((error: unknown) => {
      throw away(socket, error);
    });
    if (status < 300) return body;
    if (status !== 429) throw refused(status, body);
    await sleep(retryAfterMs, undefined, { signal });
  }
}

function send(
  socketPath: string,
  { path, contentType, body, key }: IngestCall,
  signal: AbortSignal,
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': contentType,
      'content-length': Buffer.byteLength(body),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    };
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]);
    const asked = request(
      { socketPath, path, method: 'POST', headers, agent: false, signal: inTime },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const seconds = Number(response.headers['retry-after'] ?? Number.NaN);
          resolve({
            status: response.statusCode ?? 0,
            retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
            body: objectIn(Buffer.concat(chunks).toString()),
          });
        });
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

function objectIn(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function away(socket: string, cause: unknown): CliError {
  const isForbidden = hasCode(cause, 'EACCES');
  const why = isForbidden ? `you may not use ${socket}` : `nothing answers on ${socket}`;
  return new CliError('ingest-away', `The collector cannot be reached: ${why}.`, {
    exitCode: EXIT.deviceAway,
    advice: isForbidden
      ? 'Become a member of its group: adduser NAME bowline-ingest'
      : 'See why: bowline logs telemetry-collector. It needs ingest.socket in its configuration.',
    cause,
  });
}

function refused(status: number, { code, detail }: Record<string, unknown>): CliError {
  const sentence = String(detail ?? `status ${status}`);
  return new CliError(String(code ?? 'ingest-refused'), `Not taken: ${sentence}.`, {
    exitCode: status === 503 ? EXIT.deviceAway : EXIT.usage,
    advice: '',
  });
}
