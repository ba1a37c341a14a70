import { STATUS_CODES, type ClientRequest } from 'node:http';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { TransientError } from '@bowline/runtime/errors';
import type { Clock } from '@bowline/runtime';
import { WebSocket } from 'ws';
import type { CertificateValidity } from '../trusted-time.ts';
import type { LinkStage } from './connection-state.ts';

export const SUBPROTOCOL = 'bowline.v1';

/** An attempt that did not become a socket. */
export class LinkError extends TransientError {
  readonly stage: LinkStage;
  /** HTTP status of a refused upgrade. */
  readonly status: number | undefined;
  /** Of a 401's problem document, epoch milliseconds: the device signs once more with it. */
  readonly serverTime: number | undefined;

  constructor(
    code: string,
    message: string,
    facts: { stage: LinkStage; status?: number; serverTime?: number; retryAfterMs?: number; cause?: unknown },
  ) {
    super(code, message, {
      cause: facts.cause,
      ...(facts.retryAfterMs === undefined ? {} : { retryAfterMs: facts.retryAfterMs }),
    });
    this.stage = facts.stage;
    this.status = facts.status;
    this.serverTime = facts.serverTime;
  }
}

export interface OpenOptions<T> {
  url: string;
  token: string;
  clock: Clock;
  /** Absolute: a server that trickles bytes does not hold the attempt open. */
  deadlineMs: number;
  /** Hard cap of a frame; larger ones close the link with 1009 before they are in memory. */
  maxPayload: number;
  ca?: string;
  signal: AbortSignal;
  /** The connection is up and the request for the upgrade goes out. @param certificate what proved the server, with TLS. */
  onUpgrading(certificate: CertificateValidity | undefined): void;
  /**
   * Attaches the listeners. Called in the very event that opens the socket: a frame that came with the answer to the upgrade
   * is emitted before any promise goes on.
   */
  attach(socket: WebSocket): T;
}

/** Longest problem document that is read. */
const PROBLEM_BYTES = 16 * 1024;

/**
 * One attempt: DNS, TCP, TLS, upgrade. Resolves with what `attach` made of the open socket.
 *
 * @throws LinkError with the stage that failed.
 */
export function openSocket<T>(options: OpenOptions<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    if (!URL.canParse(options.url)) {
      reject(new LinkError('bad-url', `${options.url} is not a URL`, { stage: 'dns' }));
      return;
    }
    let stage: LinkStage = isAddress(new URL(options.url).hostname) ? 'tcp' : 'dns';
    const socket = new WebSocket(options.url, [SUBPROTOCOL], {
      headers: { authorization: `Bearer ${options.token}` },
      perMessageDeflate: false,
      maxPayload: options.maxPayload,
      followRedirects: false,
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      finishRequest: (request: ClientRequest) => {
        watchStages(request, (next, certificate) => {
          stage = next;
          if (next === 'upgrade') options.onUpgrading(certificate);
        });
        request.end();
      },
    });
    const fail = (error: LinkError) => {
      settle();
      socket.on('error', () => undefined); // terminate() while connecting emits one more
      socket.terminate();
      reject(error);
    };
    const deadline = options.clock.after(options.deadlineMs, () =>
      fail(new LinkError('connect-timeout', `no connection within ${options.deadlineMs} ms`, { stage })),
    );
    const onAbort = () => fail(new LinkError('stopped', 'stopped while connecting', { stage }));
    const onError = (cause: Error) => fail(new LinkError(codeOf(cause), cause.message, { stage, cause }));
    const settle = () => {
      deadline.cancel();
      options.signal.removeEventListener('abort', onAbort);
      socket.off('error', onError);
    };
    options.signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', onError);
    socket.once('open', () => {
      settle();
      resolve(options.attach(socket));
    });
    socket.once('unexpected-response', (_request, response) => {
      const status = response.statusCode ?? 0;
      const chunks: Buffer[] = [];
      let bytes = 0;
      const finish = () => {
        const retryAfterMs = retryAfter(response.headers['retry-after']);
        const serverTime = serverTimeOf(Buffer.concat(chunks).toString());
        fail(
          new LinkError(
            `http-${status}`,
            `the server answered ${status} ${STATUS_CODES[status] ?? ''}`.trim(),
            {
              stage: status === 401 || status === 403 ? 'auth' : 'upgrade',
              status,
              ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
              ...(serverTime === undefined ? {} : { serverTime }),
            },
          ),
        );
      };
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= PROBLEM_BYTES) chunks.push(chunk);
        else response.destroy();
      });
      response.once('close', finish);
    });
    if (options.signal.aborted) onAbort();
  });
}

/** An address: there is nothing to look up. */
const isAddress = (hostname: string): boolean => isIP(hostname.replace(/^\[|\]$/g, '')) !== 0;

function watchStages(
  request: ClientRequest,
  enter: (stage: LinkStage, certificate?: CertificateValidity) => void,
): void {
  request.once('socket', (socket) => {
    const secure = 'encrypted' in socket && (socket as TLSSocket).encrypted;
    socket.once('lookup', () => enter('tcp'));
    socket.once('connect', () => enter(secure ? 'tls' : 'upgrade'));
    if (secure) socket.once('secureConnect', () => enter('upgrade', validityOf(socket as TLSSocket)));
  });
}

function validityOf(socket: TLSSocket): CertificateValidity {
  const { valid_from: from, valid_to: to } = socket.getPeerCertificate();
  return { fromMs: Date.parse(from), toMs: Date.parse(to) };
}

/** Both forms of RFC 9110, section 10.2.3: seconds, or a date; milliseconds. */
function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function serverTimeOf(body: string): number | undefined {
  try {
    const { serverTime } = JSON.parse(body) as { serverTime?: unknown };
    return typeof serverTime === 'number' && Number.isSafeInteger(serverTime) ? serverTime : undefined;
  } catch {
    return undefined; // a proxy's HTML page: there is no time in it
  }
}

function codeOf(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'connect-failed';
  return code.toLowerCase().replaceAll('_', '-');
}
