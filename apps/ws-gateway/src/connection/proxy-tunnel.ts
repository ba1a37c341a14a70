import { request as requestPlain, STATUS_CODES } from 'node:http';
import { request as requestTls } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import type { Clock } from '@bowline/runtime';
import { LinkError } from './link-error.ts';
import type { TlsSettings } from './tls-settings.ts';

/** A way out that only an HTTP proxy knows (link.proxy). */
export interface ProxySettings {
  /** `http:` or `https:`, with name and password where it asks for them. */
  url: URL;
  /** PEM: whom to trust for the TLS of the proxy itself, instead of the system's authorities. */
  ca?: string;
}

export interface TunnelOptions {
  proxy: ProxySettings;
  /** What lies behind it: `wss:`, `ws:`, `https:` or `http:`. */
  target: URL;
  clock: Clock;
  /** Until the proxy has answered. */
  deadlineMs: number;
  signal?: AbortSignal;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  'wss:': 443,
  'https:': 443,
  'ws:': 80,
  'http:': 80,
};

/**
 * A connection through an HTTP proxy (CONNECT, RFC 9110, section 9.3.6), made by Node's own client, whose answer is bounded and
 * may be given up at any moment (docs/adr/0034). The proxy resolves the name of the target. What it answers is never taken for an
 * answer of the server's: until the tunnel stands it may come from anybody on the way.
 *
 * @throws LinkError stage `proxy`; its message names the proxy without user and password.
 */
export function openTunnel({ proxy, target, clock, deadlineMs, signal }: TunnelOptions): Promise<Socket> {
  const { protocol, hostname, port, host, username, password } = proxy.url;
  const authority = `${target.hostname}:${target.port || DEFAULT_PORTS[target.protocol]}`;
  const proxyHost = bare(hostname);
  const isTls = protocol === 'https:';
  const secret = [username, password].map(decodeURIComponent).join(':');
  const request = (isTls ? requestTls : requestPlain)({
    method: 'CONNECT',
    host: proxyHost,
    port: port || (isTls ? 443 : 80),
    path: authority,
    agent: false,
    headers: {
      host: authority,
      ...(username === ''
        ? {}
        : { 'proxy-authorization': `Basic ${Buffer.from(secret).toString('base64')}` }),
    },
    // Else Node would go by the header, which names the target.
    servername: isIP(proxyHost) === 0 ? proxyHost : '',
    checkServerIdentity: (_, certificate) => checkServerIdentity(proxyHost, certificate),
    ...(proxy.ca === undefined ? {} : { ca: proxy.ca }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
  });
  return new Promise((resolve, reject) => {
    const proxyError = (code: string, why: string, cause?: unknown) =>
      new LinkError(code, `the proxy ${host} ${why}`, { stage: 'proxy', cause });
    const fail = (error: LinkError) => {
      settle();
      request.on('error', () => undefined); // of what is given up
      request.destroy();
      reject(error);
    };
    const onAbort = () => fail(proxyError('stopped', 'was given up: stopped while connecting'));
    const deadline = clock.after(deadlineMs, () =>
      fail(proxyError('proxy-timeout', `did not answer within ${deadlineMs} ms`)),
    );
    const settle = () => {
      deadline.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    request.once('error', (cause) =>
      fail(proxyError('proxy-unreachable', `cannot be reached: ${cause.message}`, cause)),
    );
    const refuse = (status = 0) =>
      fail(proxyError('proxy-refused', `answered ${status} ${STATUS_CODES[status] ?? ''}`.trimEnd()));
    request.once('response', ({ statusCode }) => refuse(statusCode));
    request.once('connect', ({ statusCode }, socket, head) => {
      if (statusCode !== 200) {
        socket.destroy();
        return refuse(statusCode);
      }
      settle();
      // A server that speaks first is not lost.
      if (head.length > 0) socket.unshift(head);
      resolve(socket as Socket);
    });
    request.end();
    if (signal?.aborted === true) onAbort();
  });
}

/** For a request that goes through a tunnel: TLS, where there is any, is between this device and the server, end to end. */
export const through = (tunnel: Socket, target: URL, tls: TlsSettings) => ({
  createConnection: (): Socket => {
    if (!/^(wss|https):$/.test(target.protocol)) return tunnel;
    const host = bare(target.hostname);
    return connectTls({
      ...tls,
      socket: tunnel,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      // Of an address Node would know no more than the name of the socket's other end: that is the proxy.
      checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
    });
  },
});

/** An IPv6 address without its brackets. */
const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '');
