import { ROLE_OF, signClaims, type SigningKey } from '@bowline/identity';
import { check, type SignedType } from '@bowline/messages';
import * as claimsOf from '@bowline/messages/signed';
import { BowlineError, ContractError, TransientError, type Clock, type Logger } from '@bowline/runtime';
import { fastify, type FastifyInstance, type FastifyReply } from 'fastify';
import { judge, type Wanted } from '../core/judge.ts';
import { request as isRequest } from '../generated/bodies.js';
import type { SignatureRequest } from '../policy-schema.ts';
import type { AuditFile } from './audit-file.ts';
import { operatorOf } from './signer-policy.ts';

export interface SignerPorts {
  policyFile: string;
  keys: ReadonlyMap<string, SigningKey>;
  audit: AuditFile;
  clock: Clock;
  log: Logger;
}

const MAX_BODY_BYTES = 65_536;
const REQUEST_WITHIN_MS = 10_000;
const validators = { ...claimsOf };

/** `POST /v1/signatures { type, claims }` → 201 `{ jws, kid, seq }`; errors as problem documents. */
export function createSigner({ policyFile, keys, audit, clock, log }: SignerPorts): FastifyInstance {
  const http = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_WITHIN_MS,
    forceCloseConnections: true,
  });
  http.setErrorHandler((error, _request, reply) => {
    if (error instanceof ContractError) return refuse(reply, 400, error.code, error.message);
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
      log.warn({ from: request.ip }, 'a token that nobody has');
      return refuse(reply, 401, 'unauthorized', 'the token of the signer is missing or wrong');
    }
    const { name, operator } = caller;
    const wanted = read(request.body, name);
    const { type, claims } = wanted;
    const at = Math.round(clock.wallMs());
    const rule = judge(operator, wanted, Math.floor(at / 1000));
    if (rule !== undefined) {
      audit.append({ operator: name, type, claims, outcome: 'not-allowed' }, at);
      return refuse(reply, 403, 'not-allowed', `the policy of the signer refuses: ${rule}`);
    }
    const role = ROLE_OF[type];
    const key = keys.get(role);
    if (key === undefined) {
      audit.append({ operator: name, type, claims, outcome: 'no-key' }, at);
      return refuse(reply, 409, 'no-key', `this signer has no key for ${role}`);
    }
    const jws = await signClaims(type, key, { ...claims, iat: Math.floor(at / 1000) });
    const kid = key.thumbprint;
    const seq = audit.append({ operator: name, type, claims, outcome: 'signed', signer: kid }, at);
    log.info({ seq, operator: name, type, aud: claims.aud }, 'signed');
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
