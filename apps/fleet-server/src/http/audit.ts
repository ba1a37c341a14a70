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

/** Strangers who fail at what is open to anyone share one allowance of their own. */
const ANYONE = 'anyone';

export interface Recorder {
  /** The beginning of a call that is open to anyone, once it is clear that it has an effect, and on what. */
  begin(request: FastifyRequest, target: Record<string, string>): void;
}

/**
 * Writes the audit log: of each call that changes something, its beginning, in a commit that is never later than its effect, and
 * its outcome before the caller gets the answer; and each refusal at the door, as far as there is room for them.
 */
export function recordCalls(
  http: FastifyInstance,
  audit: AuditLog,
  ports: { clock: Clock; log: Logger },
): Recorder {
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
    const isOpen = access.role === 'anyone';
    const refused = isOpen ? status >= 400 : status === 401 || status === 403 || status === 429;
    if (access.audit === undefined && (isOpen || !refused)) return;
    const allowance = isOpen ? ANYONE : (request.caller?.tokenId ?? '');
    if (refused && begun === undefined && refusals.take(allowance) > 0) {
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

  return {
    begin(request, target) {
      note(request, target);
      const { audit: action } = request.routeOptions.config.access ?? {};
      if (action === undefined) return;
      const { seq: begun } = append(entryOf(request, action));
      Object.assign(request.audited ?? {}, { begun });
    },
  };
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
