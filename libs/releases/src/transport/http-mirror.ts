import type { IncomingMessage } from 'node:http';
import { ConfigError, TransientError, type Clock, type Timer } from '@bowline/runtime';
import { refusedBy, type ProxySettings } from '@bowline/runtime/proxy';
import { StallWatch, type StallLimits } from './stall-watch.ts';
import { Ways } from './ways.ts';

const REDIRECTS = [301, 302, 303, 307, 308];
const MAX_REDIRECTS = 5;

export interface MirrorOptions extends StallLimits {
  /** Base URL of the folder that the publisher's tool made. */
  url: string;
  /** Origins that a redirect may lead to; this mirror's own always. An update host is named by the device, never by a server. */
  redirectsTo?: readonly string[];
  /** Authorities in PEM, instead of those of the system. */
  ca?: string | undefined;
  /** The proxy as it is now, if this device has one. */
  proxy?: (() => ProxySettings | undefined) | undefined;
  userAgent: string;
  clock: Clock;
}

export interface Reply {
  status: number;
  /** Lower case. */
  header(name: string): string | undefined;
  /** Throws `fetch-failed`, `fetch-stalled`; ending early is allowed and closes the connection. */
  body: AsyncIterable<Buffer>;
  /** Closes the connection without reading on. */
  drop(): void;
}

/** What an update server is asked by: plain GET, as static file servers understand it. */
export interface Mirror {
  readonly url: string;
  /**
   * @param path below the base URL, percent-encoded where needed.
   * @throws TransientError `fetch-failed`, `fetch-stalled`, `fetch-refused` (429 and 5xx), `fetch-broken`, or
   * those of a proxy; the reason of `until`.
   */
  get(path: string, headers: Record<string, string>, until: AbortSignal): Promise<Reply>;
  close(): void;
}

/** @throws ConfigError `bad-update-url` */
export function httpMirror(options: MirrorOptions): Mirror {
  const base = parseBase(options.url);
  const { ca, proxy, clock, stallMs } = options;
  const ways = new Ways({ ca, proxy, clock, deadlineMs: stallMs });
  const origins = new Set([base.origin, ...(options.redirectsTo ?? [])]);

  async function get(path: string, headers: Record<string, string>, until: AbortSignal): Promise<Reply> {
    let url = new URL(path, base);
    for (let redirects = 0; ; redirects += 1) {
      const response = await answer(url, headers, until);
      const { statusCode = 0, headers: got } = response;
      if (!REDIRECTS.includes(statusCode)) return replyOf(url, response, until);
      response.destroy();
      const next = got.location === undefined ? undefined : URL.parse(got.location, url);
      if (next === null || next === undefined || !origins.has(next.origin))
        throw broken(
          url,
          `redirects to ${String(got.location).slice(0, 200)}, which is no mirror of this device`,
        );
      if (redirects >= MAX_REDIRECTS) throw broken(url, `redirects more than ${MAX_REDIRECTS} times`);
      url = next;
    }
  }

  function answer(url: URL, headers: Record<string, string>, until: AbortSignal): Promise<IncomingMessage> {
    until.throwIfAborted();
    return new Promise((resolve, reject) => {
      const { request, passedOnBy } = ways.get(url, {
        'user-agent': options.userAgent,
        'accept-encoding': 'identity',
        ...headers,
      });
      const end = (act: () => void) => {
        timer.cancel();
        until.removeEventListener('abort', onAbort);
        act();
      };
      const onAbort = () => end(() => (request.destroy(), reject(until.reason)));
      const timer = options.clock.after(options.stallMs, () =>
        end(() => (request.destroy(), reject(stalled(url, `no answer in ${options.stallMs} ms`)))),
      );
      until.addEventListener('abort', onAbort, { once: true });
      request.on('error', (cause) => end(() => reject(failed(url, cause))));
      request.on('response', (response) =>
        end(() => {
          if (passedOnBy === undefined || response.statusCode !== 407) return resolve(response);
          response.destroy();
          return reject(failed(url, refusedBy(passedOnBy, 407)));
        }),
      );
      request.end();
    });
  }

  function replyOf(url: URL, response: IncomingMessage, until: AbortSignal): Reply {
    const { statusCode: status = 0, headers } = response;
    if (status === 429 || status >= 500) {
      response.destroy();
      throw new TransientError('fetch-refused', `${url.href} answers ${status}`, {
        details: { status },
        ...retryAfter(headers['retry-after']),
      });
    }
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      response.destroy();
      throw broken(url, `is sent as ${encoding.slice(0, 32)}, though identity was asked for`);
    }
    return {
      status,
      header: (name) => headers[name]?.toString(),
      body: watched(url, response, until),
      drop: () => response.destroy(),
    };
  }

  async function* watched(url: URL, response: IncomingMessage, until: AbortSignal): AsyncGenerator<Buffer> {
    const watch = new StallWatch(options);
    const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    let stuck: TransientError | undefined;
    const onAbort = () => response.destroy();
    until.addEventListener('abort', onAbort, { once: true });
    try {
      for (;;) {
        until.throwIfAborted();
        let from = options.clock.monotonicMs();
        const waited = (bytes: number) => {
          const now = options.clock.monotonicMs();
          const enough = watch.came(bytes, now - from);
          from = now;
          return enough;
        };
        let timer: Timer;
        const patience = () => {
          timer = options.clock.after(watch.patienceMs, () => {
            if (waited(0)) return patience();
            stuck = stalled(url, 'data stopped coming');
            response.destroy();
          });
        };
        patience();
        const next = await chunks.next().finally(() => timer.cancel());
        if (next.done === true) break;
        if (!waited(next.value.length))
          throw stalled(url, `data comes at less than ${options.minBytesPerSecond} bytes a second`);
        yield next.value;
      }
      if (stuck !== undefined) throw stuck;
      if (!response.complete) throw failed(url, new Error('the connection ended in the middle'));
    } catch (error) {
      until.throwIfAborted();
      if (stuck !== undefined) throw stuck;
      throw error instanceof TransientError ? error : failed(url, error);
    } finally {
      until.removeEventListener('abort', onAbort);
      response.destroy();
    }
  }

  return { url: base.href, get, close: () => ways.close() };
}

/** The whole of a small answer. @throws TransientError `fetch-broken` above `maxBytes` */
export async function readAll(reply: Reply, maxBytes: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of reply.body) {
    bytes += chunk.length;
    if (bytes > maxBytes)
      throw new TransientError('fetch-broken', `${what} is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parseBase(text: string): URL {
  const url = URL.parse(text.endsWith('/') ? text : `${text}/`);
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.search !== '')
    throw new ConfigError('bad-update-url', `${JSON.stringify(text)} is not the http(s) URL of a folder`);
  return url;
}

const failed = (url: URL, cause: unknown) => {
  const message = `${url.href}: ${cause instanceof Error ? cause.message || cause.name : String(cause)}`;
  // A proxy's errors have codes of their own.
  if (cause instanceof TransientError) return new TransientError(cause.code, message, { cause });
  return new TransientError('fetch-failed', message, { cause });
};
const stalled = (url: URL, why: string) => new TransientError('fetch-stalled', `${url.href}: ${why}`);
const broken = (url: URL, why: string) => new TransientError('fetch-broken', `${url.href} ${why}`);

/** Seconds only; the date form needs a clock that agrees with the server's. */
function retryAfter(value: string | undefined): { retryAfterMs?: number } {
  const seconds = Number(value);
  return value !== undefined && Number.isFinite(seconds) && seconds > 0
    ? { retryAfterMs: Math.min(seconds, 3600) * 1000 }
    : {};
}
