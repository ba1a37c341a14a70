import { STATUS_CODES, type ClientRequest } from 'node:http';
import { isIP, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ProblemDocument } from '@bowline/messages';
import { problem } from '@bowline/messages/http';
import { BowlineError, type Clock } from '@bowline/runtime';
import { openTunnel, proxyFor, secured, targetOf, type ProxySettings } from '@bowline/runtime/proxy';
import { WebSocket } from 'ws';
import type { CertificateValidity } from '../trusted-time.ts';
import type { LinkStage } from './connection-state.ts';
import { LinkError } from './link-error.ts';
import { retryAfterOf } from './retry-after.ts';
import type { TlsSettings } from './tls-settings.ts';

export const SUBPROTOCOL = 'bowline.v1';

/** Said whenever `allowInsecure` is made use of. */
export const NOT_ENCRYPTED =
  'NOT ENCRYPTED: whoever is on the way reads and changes everything. Use https and wss, and link.allowInsecure only to try things out';

export interface OpenOptions<T> {
  url: string;
  token: string;
  clock: Clock;
  /** Absolute: a server that trickles bytes does not hold the attempt open. */
  deadlineMs: number;
  /** Hard cap of a frame; larger ones close the link with 1009 before they are in memory. */
  maxPayload: number;
  /** Offers permessage-deflate (ADR 0022). */
  compression: boolean;
  tls: TlsSettings;
  /** The only way out, if not the direct one. */
  proxy?: ProxySettings | undefined;
  signal: AbortSignal;
  /** The connection is up and the request for the upgrade goes out. @param certificate what proved the server, with TLS. */
  onUpgrading(certificate: CertificateValidity | undefined): void;
  /**
   * Attaches the listeners. Called in the very event that opens the socket: a frame that came with the answer to the upgrade
   * is emitted before any promise goes on.
   */
  attach(socket: WebSocket): T;
}

/**
 * Each message is packed by itself: nothing is held between two, and what the one tells nothing of the other. `maxPayload` counts what
 * comes out.
 */
const COMPRESSION = { clientNoContextTakeover: true, serverNoContextTakeover: true, threshold: 1024 };

/** Longest problem document that is read. */
const PROBLEM_BYTES = 16 * 1024;

/**
 * One attempt: DNS and TCP, or the proxy, then TLS, upgrade. Resolves with what `attach` made of the open socket.
 *
 * @throws LinkError with the stage that failed.
 */
export async function openSocket<T>(options: OpenOptions<T>): Promise<T> {
  const { url, clock, deadlineMs, signal } = options;
  const target = URL.parse(url);
  if (target === null) throw new LinkError('bad-url', `${url} is not a URL`, { stage: 'dns' });
  const proxy = proxyFor(options.proxy, target);
  if (proxy === undefined) return upgrade(options);
  const startedAtMs = clock.monotonicMs();
  const tunnel = await openTunnel({ proxy, ...targetOf(target), clock, deadlineMs, signal }).catch(
    (error: unknown) => {
      if (!(error instanceof BowlineError)) throw error;
      throw new LinkError(error.code, error.message, { stage: 'proxy', cause: error });
    },
  );
  return upgrade({ ...options, deadlineMs: deadlineMs - (clock.monotonicMs() - startedAtMs) }, tunnel);
}

function upgrade<T>(options: OpenOptions<T>, tunnel?: Socket): Promise<T> {
  return new Promise((resolve, reject) => {
    const target = new URL(options.url);
    let stage: LinkStage = isAddress(target.hostname) ? 'tcp' : 'dns';
    const socket = new WebSocket(options.url, [SUBPROTOCOL], {
      headers: { authorization: `Bearer ${options.token}` },
      perMessageDeflate: options.compression && COMPRESSION,
      maxPayload: options.maxPayload,
      followRedirects: false,
      ...options.tls,
      ...(tunnel === undefined
        ? {}
        : {
            createConnection: () =>
              target.protocol === 'wss:' ? secured(tunnel, targetOf(target).host, options.tls) : tunnel,
          }),
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
        const retryAfterMs = retryAfterOf(response.headers['retry-after']);
        const { code, detail, serverTime } = problemIn(Buffer.concat(chunks).toString());
        const answered = `the server answered ${status} ${STATUS_CODES[status] ?? ''}`.trim();
        fail(
          new LinkError(
            code ?? `http-${status}`,
            detail === undefined ? answered : `${answered}: ${detail}`,
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
    // Through a proxy it is connected already.
    if (!socket.connecting) enter(secure ? 'tls' : 'upgrade');
    if (secure) socket.once('secureConnect', () => enter('upgrade', validityOf(socket as TLSSocket)));
  });
}

function validityOf(socket: TLSSocket): CertificateValidity {
  const { valid_from: from, valid_to: to } = socket.getPeerCertificate();
  return { fromMs: Date.parse(from), toMs: Date.parse(to) };
}

/** What a problem document tells a device (RFC 9457). */
function problemIn(text: string): Partial<Pick<ProblemDocument, 'code' | 'detail' | 'serverTime'>> {
  try {
    const value: unknown = JSON.parse(text);
    return problem(value) ? (value as ProblemDocument) : {};
  } catch {
    return {}; // a proxy's HTML page
  }
}

function codeOf(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'connect-failed';
  return code.toLowerCase().replaceAll('_', '-');
}
