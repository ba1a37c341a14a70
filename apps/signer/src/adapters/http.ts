import { ROLE_OF, signClaims, type SigningKey } from '@bowline/identity';
import { check, type SignedType } from '@bowline/messages';
import * as claimsOf from '@bowline/messages/signed';
import { BowlineError, ContractError, TransientError, type Clock, type Logger } from '@bowline/runtime';
import { RateLimiter } from '@bowline/server-sdk/rate-limiter';
import { fastify, type FastifyInstance, type FastifyReply } from 'fastify';
import { judge, type Wanted } from '../core/judge.ts';
import { request as isRequest } from '../generated/bodies.js';
import type { SignerConfig } from '../config.ts';
import type { SignatureRequest } from '../policy-schema.ts';
import type { AuditEntry, AuditFile } from './audit-file.ts';
import { operatorOf } from './signer-policy.ts';

export interface SignerPorts {
  policyFile: string;
  keys: ReadonlyMap<string, SigningKey>;
  audit: AuditFile;
  rate: SignerConfig['rate'];
  clock: Clock;
  log: Logger;
}

const MAX_BODY_BYTES = 65_536;
const REQUEST_WITHIN_MS = 10_000;
const validators = { ...claimsOf };

/** `POST /v1/signatures { type, claims }` → 201 `{ jws, kid, seq }`; errors as problem documents. */
export function createSigner({ policyFile, keys, audit, rate, clock, log }: SignerPorts): FastifyInstance {
  const calls = new RateLimiter(clock, { burst: rate.signaturesBurst, perSecond: rate.signaturesPerSecond });
  const refusals = new RateLimiter(clock, { burst: rate.refusalsBurst, perSecond: rate.refusalsPerSecond });
  /** Refusals that came too fast: whoever fills the log with them would push out what matters. */
  let unwritten = 0;
  const append = (entry: AuditEntry, at: number): number => {
    const seq = audit.append(unwritten === 0 ? entry : { ...entry, unwritten }, at);
    unwritten = 0;
    return seq;
  };
  const slowDown = (waitMs: number): never => {
    throw new TransientError('too-many-requests', 'too many requests: wait', { retryAfterMs: waitMs });
  };
  const http = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_WITHIN_MS,
    forceCloseConnections: true,
  });
  http.setErrorHandler((error, _request, reply) => {
    if (error instanceof ContractError) return refuse(reply, 400, error.code, error.message);
    if (error instanceof TransientError && error.code === 'too-many-requests') {
      void reply.header('retry-after', Math.ceil((error.retryAfterMs ?? 1000) / 1000));
      return refuse(reply, 429, error.code, error.message);
    }
    if (error instanceof TransientError) {
      log.error({ code: error.code }, error.message);
      return refuse(reply, 503, error.code, error.message);
    }
    if (!(error instanceof BowlineError) && error instanceof Error && 'statusCode' in error)
      return refuse(reply, Number(error.statusCode), 'bad-request', error.message);
    log.error({ error }, 'request failed');
    return refuse(reply, 500, 'internal', 'internal error; see the log of the signer');
  });

  http.get('/v1/health', () => ({ status: 'ok', roles: [...keys.keys()] }));

  http.post('/v1/signatures', async (request, reply) => {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const caller = token === undefined ? undefined : operatorOf(policyFile, token);
    if (caller === undefined) {
      const waitMs = refusals.take(`from ${request.ip}`);
      if (waitMs > 0) return slowDown(waitMs);
      log.warn({ from: request.ip }, 'a token that nobody has');
      return refuse(reply, 401, 'unauthorized', 'the token of the signer is missing or wrong');
    }
    const { name, operator } = caller;
    const waitMs = calls.take(name);
    if (waitMs > 0) return slowDown(waitMs);
    const wanted = read(request.body, name);
    const { type, claims } = wanted;
    const at = Math.round(clock.wallMs());
    const rule = judge(operator, wanted, Math.floor(at / 1000));
    const refused = (outcome: string) => {
      if (refusals.take(name) === 0) append({ operator: name, type, claims, outcome }, at);
      else unwritten += 1;
    };
    if (rule !== undefined) {
      refused('not-allowed');
      return refuse(reply, 403, 'not-allowed', `the policy of the signer refuses: ${rule}`);
    }
    const role = ROLE_OF[type];
    const key = keys.get(role);
    if (key === undefined) {
      refused('no-key');
      return refuse(reply, 409, 'no-key', `this signer has no key for ${role}`);
    }
    const jws = await signClaims(type, key, { ...claims, iat: Math.floor(at / 1000) });
    const kid = key.thumbprint;
    const seq = append({ operator: name, type, claims, outcome: 'signed', signer: kid }, at);
    // With the hash: a second place that a forger would have to change.
    log.info({ seq, hash: audit.hash, operator: name, type, aud: claims.aud }, 'signed');
    return reply.status(201).send({ jws, kid, seq });
  });
  return http;
}

/** Who asked is said by us, not by them. */
function read(body: unknown, operator: string): Wanted {
  const { type, claims } = check<SignatureRequest>(isRequest, body, 'body');
  const named = type === 'command' ? claims : { ...claims, by: operator };
  return { type, claims: check(validators[type as SignedType], named, 'claims') } as Wanted;
}

const refuse = (reply: FastifyReply, status: number, code: string, detail: string) =>
  reply
    .status(status)
    .type('application/problem+json')
    .send(JSON.stringify({ title: code, status, code, detail }));
