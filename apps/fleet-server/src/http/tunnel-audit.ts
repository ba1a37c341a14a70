import type { IncomingMessage } from 'node:http';
import proxyAddress, { compile } from '@fastify/proxy-addr';
import type { TunnelReport } from '@bowline/server-sdk';
import type { NewAuditEntry } from '../operators/audit-log.ts';

/** Whose address counts: that of the connection, or what a trusted proxy says. */
export function addressOf(trustedProxies: readonly string[]): (request: IncomingMessage) => string {
  const trust = compile([...trustedProxies]);
  return (request) => proxyAddress(request, trust) ?? '';
}

const MAX_TEXT = 128;

/** A stream that opened or closed, or a session that was ended: one line of the audit log. */
export function auditOfTunnel({ action, record, from = '', stream, bytes, by }: TunnelReport): NewAuditEntry {
  const { sessionId, deviceId, operator } = record;
  return {
    from: from.slice(0, MAX_TEXT),
    action,
    target: {
      sessionId,
      deviceId,
      operator,
      ...(stream === undefined ? {} : { stream: String(stream) }),
      ...(bytes === undefined ? {} : { bytesUp: String(bytes.up), bytesDown: String(bytes.down) }),
      ...(by === undefined ? {} : { by }),
    },
  };
}
