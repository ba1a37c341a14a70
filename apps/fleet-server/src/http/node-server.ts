import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { hasCode } from '@bowline/runtime';
import { answerUpgrade, refusal, type Refusal } from '@bowline/server-sdk';
import type { TlsFiles } from '../adapters/tls-files.ts';

export interface RequestLimits {
  /** Of all headers of a request together, the line with its URL among them. */
  headerBytes: number;
  /** A client that trickles its TLS handshake, or then its headers, is cut off after this. */
  headersWithinMs: number;
  /** And one that trickles its body. */
  requestWithinMs: number;
  /** A connection on which nothing moves either way is cut off. */
  idleMs: number;
  /** Links, streams and calls together; more are not accepted. */
  maxConnections: number;
}

const KEEP_ALIVE_MS = 10_000;
const CHECK_EVERY_MS = 500;

/** The server under fastify, plain or with TLS, with its limits. */
export function createNodeServer(
  handler: RequestListener,
  { headerBytes, headersWithinMs, requestWithinMs, idleMs, maxConnections }: RequestLimits,
  tls: TlsFiles | undefined,
): Server {
  const options: ServerOptions = {
    maxHeaderSize: headerBytes,
    headersTimeout: headersWithinMs,
    requestTimeout: requestWithinMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_EVERY_MS,
  };
  const server =
    tls === undefined
      ? createServer(options, handler)
      : createTlsServer({ ...options, ...tls.serverOptions(), handshakeTimeout: headersWithinMs }, handler);
  server.setTimeout(idleMs);
  server.maxConnections = maxConnections;
  return server;
}

/** What HTTP itself could not read: answered if that is still possible, as a problem document like all else. */
export function refuseUnreadable(error: Error, socket: Socket): void {
  const isOfHttp = 'code' in error && /^(HPE_|ERR_HTTP_)/.test(String(error.code));
  // Where TLS itself failed, or the connection is gone, an answer would never arrive, and its end would never come.
  if (isOfHttp && socket.writable) answerUpgrade(socket, faultOf(error));
  else socket.destroy();
}

function faultOf(error: Error): Refusal {
  if (hasCode(error, 'HPE_HEADER_OVERFLOW'))
    return refusal(431, 'headers-too-large', 'the headers of the request are too large');
  if (hasCode(error, 'ERR_HTTP_REQUEST_TIMEOUT'))
    return refusal(408, 'too-slow', 'the request did not come whole in time');
  return refusal(400, 'bad-request', 'this is not HTTP/1.1 as we read it');
}
