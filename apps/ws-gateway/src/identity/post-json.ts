import { request as requestPlain, type IncomingHttpHeaders } from 'node:http';
import { request as requestTls, type RequestOptions } from 'node:https';
import { systemClock } from '@bowline/runtime';
import { proxyAgent, proxyFor, type ProxySettings } from '@bowline/runtime/proxy';
import type { TlsSettings } from '../connection/tls-settings.ts';

export interface JsonAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** undefined if the body was no JSON. */
  body: unknown;
}

export interface PostOptions {
  tls: TlsSettings;
  /** The only way out, if not the direct one. */
  proxy?: ProxySettings | undefined;
  /** Absolute: a server that trickles its answer does not hold us. */
  deadlineMs: number;
  /** An answer that is larger is given up: an endless one must not fill the memory. */
  maxBytes: number;
}

/** One POST over HTTP or HTTPS; no redirects. Rejects with what Node says. */
export function postJson(
  url: URL,
  value: unknown,
  { tls, proxy: wayOut, deadlineMs, maxBytes }: PostOptions,
): Promise<JsonAnswer> {
  const signal = AbortSignal.timeout(deadlineMs);
  const secure = url.protocol === 'https:';
  const proxy = proxyFor(wayOut, url);
  const text = JSON.stringify(value);
  const options: RequestOptions = {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      accept: 'application/json, application/problem+json',
    },
    agent: proxy !== undefined && proxyAgent({ proxy, secure, clock: systemClock, deadlineMs, signal }),
    signal,
    ...tls,
  };
  return new Promise((resolve, reject) => {
    const request = (secure ? requestTls : requestPlain)(url, options, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > maxBytes) request.destroy(new Error(`an answer of more than ${maxBytes} bytes`));
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: parsed(Buffer.concat(chunks).toString()),
        }),
      );
    });
    request.on('error', reject);
    request.end(text);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's HTML page
  }
}
