import type { Agent } from 'node:http';
import type { ClientOptions } from 'ws';
import { TUNNEL_FRAME_BYTES } from './names.ts';

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * How a client opens its end of a tunnel. Within TLS, and on this machine, its frames carry the mask 0, which costs nothing: masks
 * keep proxies that look into plain HTTP from being fed by a web page (RFC 6455, section 10.3), and here there is neither (ADR 0025).
 *
 * @param agent makes the connection through a proxy; undefined: it is direct.
 */
export function tunnelClientOptions(url: string, agent?: Agent): ClientOptions {
  return {
    perMessageDeflate: false,
    maxPayload: TUNNEL_FRAME_BYTES,
    ...(agent === undefined ? {} : { agent }),
    ...(isSeenByProxies(url, agent !== undefined) ? {} : { generateMask: (mask) => void mask.fill(0) }),
  };
}

function isSeenByProxies(url: string, isThroughOne: boolean): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol !== 'wss:' && (isThroughOne || !LOOPBACK.test(hostname));
}
