import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RateLimiter } from '@bowline/server-sdk';
import type { Clock, Logger } from '@bowline/runtime';
import type { AuditLog, NewAuditEntry } from '../operators/audit-log.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Absent where a request was refused before it had a route. */
    audited: { begun?: number; target: Record<string, string>; code?: string } | undefined;
  }
}

/** Whoever fills the log with refusals would push out what matters: above this, of each token and of strangers, they are counted. */
const REFUSALS = { burst: 60, perSecond: 1 / 60 };
const MAX_TEXT = 128;
/** Members of a body that say what was asked for; none of them a secret. */
const TOLD = ['type', 'name', 'deviceId', 'role', 'label'];

/**
 * Writes the audit log: of each call that changes something, its beginning, in a commit that is never later than its effect, and
 * its outcome before the caller gets the answer; and each refusal at the door.
 */
export function recordCalls(
  http: FastifyInstance,
  audit: AuditLog,
  ports: { clock: Clock; log: Logger },
): void {
  const refusals = new RateLimiter(ports.clock, REFUSALS);
  let unwritten = 0;

  const append = (entry: NewAuditEntry) => {
    const { seq, hash, durable } = audit.append(entry);
    // A second place that a forger would have to change.
    ports.log.info({ seq, hash, action: entry.action }, 'audit');
    return { seq, durable };
  };

  http.decorateRequest('audited', undefined);

  http.addHook('preHandler', async (request) => {
    const { audit: action, role } = request.routeOptions.config.access ?? {};
    if (action === undefined || role === 'anyone') return;
    const { seq: begun } = append(entryOf(request, action));
    request.audited = { target: {}, begun };
  });

  http.addHook('onSend', async (request, reply) => {
    const { access } = request.routeOptions.config;
    if (access === undefined) return;
    const { statusCode: status } = reply;
    const { begun, code } = request.audited ?? {};
    const refused = status === 401 || status === 403 || status === 429;
    // Of what is open to anyone, only what had an effect.
    const wanted = access.role === 'anyone' ? status < 400 && access.audit !== undefined : true;
    if (!wanted || (access.audit === undefined && !refused)) return;
    if (refused && begun === undefined && refusals.take(request.caller?.tokenId ?? '') > 0) {
      unwritten += 1;
      return;
    }
    const action = access.audit ?? `${request.method} ${request.routeOptions.url}`;
    const outcome = { status, ...(code === undefined ? {} : { code }) };
    const more = {
      ...(begun === undefined ? {} : { of: begun }),
      ...(unwritten === 0 ? {} : { unwritten }),
    };
    unwritten = 0;
    await append({ ...entryOf(request, action), outcome, ...more }).durable;
  });
}

/** Says more about what a call was about, once that is known. */
export function note(request: FastifyRequest, target: Record<string, string>): void {
  Object.assign((request.audited ??= { target: {} }).target, target);
}

function entryOf(request: FastifyRequest, action: string): NewAuditEntry {
  const { caller, params, body, ip, audited } = request;
  const { operator, role, tokenId, via } = caller ?? {};
  return {
    ...(operator && role && tokenId && via ? { actor: { operator, role, tokenId, via } } : {}),
    // A trusted proxy may pass on whatever a client says.
    from: ip.slice(0, MAX_TEXT),
    action,
    target: { ...told(body), ...texts(params), ...audited?.target },
  };
}

function told(body: unknown): Record<string, string> {
  if (typeof body !== 'object' || body === null) return {};
  const { payload, ...rest } = body as Record<string, unknown>;
  const command =
    typeof payload === 'object' && payload !== null ? { command: Reflect.get(payload, 'name') } : {};
  return texts({ ...Object.fromEntries(TOLD.map((name) => [name, rest[name]])), ...command });
}

const texts = (object: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(object ?? {}).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, value.slice(0, MAX_TEXT)]] : [],
    ),
  );
