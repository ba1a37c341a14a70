import { request as requestPlain, STATUS_CODES } from 'node:http';
import { request as requestTls } from 'node:https';
import { isIP, isIPv6, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Clock } from '../clock.ts';
import { TransientError } from '../errors.ts';
import { bare } from './except.ts';
import type { ProxySettings } from './proxy-settings.ts';

export interface TunnelOptions {
  proxy: ProxySettings;
  /** What lies behind it. */
  host: string;
  port: number;
  clock: Clock;
  /** Until the proxy has answered. */
  deadlineMs: number;
  signal?: AbortSignal | undefined;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  'wss:': 443,
  'https:': 443,
  'ws:': 80,
  'http:': 80,
};

/** Where a tunnel for `wss:`, `ws:`, `https:` or `http:` leads. */
export const targetOf = ({ hostname, port, protocol }: URL) => ({
  host: bare(hostname),
  port: Number(port) || (DEFAULT_PORTS[protocol] ?? 443),
});

/** How the proxy itself is reached, and what is said to it. */
export function toProxy({ url: { protocol, hostname, port, username, password }, ca }: ProxySettings) {
  const host = bare(hostname);
  const secure = protocol === 'https:';
  const secret = [username, password].map(decodeURIComponent).join(':');
  const login = { 'proxy-authorization': `Basic ${Buffer.from(secret).toString('base64')}` };
  return {
    send: secure ? requestTls : requestPlain,
    headers: username === '' ? {} : login,
    options: {
      host,
      port: port || (secure ? 443 : 80),
      // Else Node would go by the header, which names the target.
      servername: isIP(host) === 0 ? host : '',
      checkServerIdentity: (_: string, certificate: Parameters<typeof checkServerIdentity>[1]) =>
        checkServerIdentity(host, certificate),
      ...(ca === undefined ? {} : { ca }),
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
    } as const,
  };
}

/** An error of the proxy's; it is named without user and password. */
export const proxyError = (code: string, { url }: ProxySettings, why: string, cause?: unknown) =>
  new TransientError(code, `the proxy ${url.host} ${why}`, { cause });

export const refusedBy = (proxy: ProxySettings, status = 0) =>
  proxyError('proxy-refused', proxy, `answered ${status} ${STATUS_CODES[status] ?? ''}`.trimEnd());

/**
 * A connection through an HTTP proxy (CONNECT, RFC 9110, section 9.3.6), made by Node's own client, whose answer is bounded and
 * may be given up at any moment (docs/adr/0034). The proxy resolves the name of the target. What it answers is never taken for an
 * answer of the server's: until the tunnel stands it may come from anybody on the way.
 *
 * @throws TransientError `proxy-unreachable`, `proxy-refused`, `proxy-timeout`, `stopped`
 */
export function openTunnel({
  proxy,
  host: target,
  port,
  clock,
  deadlineMs,
  signal,
}: TunnelOptions): Promise<Socket> {
  const authority = `${isIPv6(target) ? `[${target}]` : target}:${port}`;
  const { send, headers, options } = toProxy(proxy);
  const request = send({
    ...options,
    method: 'CONNECT',
    path: authority,
    agent: false,
    headers: { host: authority, ...headers },
  });
  return new Promise((resolve, reject) => {
    const fail = (error: TransientError) => {
      settle();
      request.on('error', () => undefined); // of what is given up
      request.destroy();
      reject(error);
    };
    const onAbort = () => fail(proxyError('stopped', proxy, 'was given up: stopped while connecting'));
    const deadline = clock.after(deadlineMs, () =>
      fail(proxyError('proxy-timeout', proxy, `did not answer within ${deadlineMs} ms`)),
    );
    const settle = () => {
      deadline.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    request.once('error', (cause) =>
      fail(proxyError('proxy-unreachable', proxy, `cannot be reached: ${cause.message}`, cause)),
    );
    request.once('response', ({ statusCode }) => fail(refusedBy(proxy, statusCode)));
    request.once('connect', ({ statusCode }, socket, head) => {
      if (statusCode !== 200) {
        socket.destroy();
        return fail(refusedBy(proxy, statusCode));
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

/** TLS between this device and the server, end to end, within a tunnel. @param host without brackets. */
export const secured = (tunnel: Socket, host: string, tls: ConnectionOptions): TLSSocket =>
  connectTls({
    ...tls,
    socket: tunnel,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    // Of an address Node would know no more than the name of the socket's other end: that is the proxy.
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  });
