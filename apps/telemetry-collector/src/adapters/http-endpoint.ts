import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Logger } from '@bowline/runtime';
import { BowlineError, ContractError, hasCode, TransientError } from '@bowline/runtime/errors';
import { problemOf, type Problem } from '../core/ingest/problem.ts';

export interface HttpLimits {
  /** Largest body, bytes, before and after it was unpacked. */
  bodyBytes: number;
  /** Requests in work at a time. */
  requestsAtOnce: number;
}

export interface Answer {
  status: number;
  body: object;
}

export interface Call {
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  /** Unpacked. */
  body: string;
}

export interface Route {
  method: 'POST' | 'GET';
  path: string;
  /** Looks at the headers before the body is read. @throws what refuses the request. */
  admit(headers: IncomingMessage['headers']): void;
  handle(call: Call): Promise<Answer> | Answer;
}

export interface HttpEndpointOptions {
  routes: readonly Route[];
  limits(): HttpLimits;
  log: Pick<Logger, 'error'>;
}

const HEADER_BYTES = 8192;
const HEADERS_WITHIN_MS = 5000;
const REQUEST_WITHIN_MS = 15_000;
const KEEP_ALIVE_MS = 10_000;
const MOST_CONNECTIONS = 256;

const unpack = promisify(gunzip);

/** A small HTTP server for programs on this device: whole bodies with a cap, JSON answers, problem documents (RFC 9457). */
export function httpEndpoint({ routes, limits, log }: HttpEndpointOptions): Server {
  let inWork = 0;
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES,
      headersTimeout: HEADERS_WITHIN_MS,
      requestTimeout: REQUEST_WITHIN_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => {
      inWork += 1;
      response.once('close', () => (inWork -= 1));
      void answer(request, response);
    },
  );
  server.maxConnections = MOST_CONNECTIONS;
  server.on('clientError', refuseUnreadable);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { bodyBytes, requestsAtOnce } = limits();
      if (inWork > requestsAtOnce)
        throw new TransientError('too-fast', `${requestsAtOnce} requests are in work already`, {
          retryAfterMs: 1000,
        });
      const { pathname, searchParams: query } = targetOf(request.url);
      const route = routeOf(routes, request.method, pathname);
      route.admit(request.headers);
      const body = await readBody(request, bodyBytes);
      const { status, body: answered } = await route.handle({ query, headers: request.headers, body });
      send(response, status, { 'content-type': 'application/json' }, answered);
    } catch (error) {
      if (!(error instanceof BowlineError)) log.error({ error }, 'a request failed by a fault of ours');
      const { status, headers, body } = problemOf(error);
      // What it still sends is not read: the connection ends with this answer.
      send(response, status, request.complete ? headers : { ...headers, connection: 'close' }, body);
    }
  }
  return server;
}

function targetOf(target = '/'): URL {
  const url = URL.parse(target, 'http://localhost');
  if (url === null) throw new ContractError('invalid', 'the target of the request is no path');
  return url;
}

function routeOf(routes: readonly Route[], method: string | undefined, path: string): Route {
  const here = routes.filter((route) => route.path === path);
  if (here.length === 0) {
    const known = routes.map((route) => `${route.method} ${route.path}`).join(', ');
    throw new ContractError('not-found', `there is no ${path}; there is ${known}`);
  }
  const route = here.find((each) => each.method === method);
  if (route !== undefined) return route;
  const methods = here.map((each) => each.method).join(', ');
  throw new ContractError('method-not-allowed', `${path} takes ${methods}, not ${method}`);
}

async function readBody(request: IncomingMessage, mostBytes: number): Promise<string> {
  const tooLarge = () => new ContractError('too-large', `the body is larger than ${mostBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > mostBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw tooLarge();
    chunks.push(chunk);
  }
  const packed = Buffer.concat(chunks);
  const whole = await unpacked(packed, request.headers['content-encoding'], mostBytes, tooLarge);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(whole);
  } catch (error) {
    throw new ContractError('broken-json', 'the body is not UTF-8', { cause: error });
  }
}

async function unpacked(
  packed: Buffer,
  encoding: string | undefined,
  mostBytes: number,
  tooLarge: () => Error,
): Promise<Buffer> {
  if (encoding === undefined || encoding === 'identity') return packed;
  if (encoding !== 'gzip') {
    throw new ContractError('unsupported-media-type', `content-encoding ${encoding} is not read; gzip is`);
  }
  try {
    return await unpack(packed, { maxOutputLength: mostBytes });
  } catch (error) {
    if (hasCode(error, 'ERR_BUFFER_TOO_LARGE')) throw tooLarge();
    throw new ContractError('broken-json', 'the body is not gzip', { cause: error });
  }
}

function send(response: ServerResponse, status: number, headers: Record<string, string>, body: object): void {
  if (response.headersSent || response.destroyed) return;
  const text = JSON.stringify(body);
  response.writeHead(status, {
    ...headers,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  });
  response.end(text);
}

/** What HTTP itself could not read, answered like all else if that is still possible. */
function refuseUnreadable(error: Error, socket: Duplex): void {
  if (!socket.writable || hasCode(error, 'ECONNRESET')) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = faultOf(error);
  const text = JSON.stringify(body);
  const lines = Object.entries({
    ...headers,
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${body.title}\r\n${lines.join('')}\r\n${text}`);
}

function faultOf(error: Error): Problem {
  if (hasCode(error, 'HPE_HEADER_OVERFLOW'))
    return problemOf(new ContractError('headers-too-large', `headers are larger than ${HEADER_BYTES} bytes`));
  if (hasCode(error, 'ERR_HTTP_REQUEST_TIMEOUT'))
    return problemOf(new ContractError('too-slow', 'the request did not come whole in time'));
  return problemOf(new ContractError('invalid', 'this is not HTTP/1.1'));
}
