import { ROLE_OF, signClaims, type SigningKey } from '@bowline/identity';
import { check, type AccessApproval, type SignedType, type SshGrant } from '@bowline/messages';
import * as claimsOf from '@bowline/messages/signed';
import { RejectedError, type Logger } from '@bowline/runtime';
import type { FastifyInstance } from 'fastify';
import { beyondApproval, type Approval } from '../core/access-approvals.ts';
import { judge, type Wanted } from '../core/judge.ts';
import { request as isRequest } from '../generated/bodies.js';
import type { SignatureRequest } from '../policy-schema.ts';
import type { Approvals } from './approvals.ts';
import type { AuditFile } from './audit-file.ts';
import type { Decisions } from './decisions.ts';
import { operatorNamed } from './signer-policy.ts';

export interface SignaturePorts {
  policyFile: string;
  keys: ReadonlyMap<string, SigningKey>;
  audit: AuditFile;
  decisions: Decisions;
  approvals: Approvals;
  log: Logger;
}

const validators = { ...claimsOf };

/**
 * `POST /v1/signatures { type, claims }` → 201 `{ jws, kid, seq }`, with an operator's token or the code of an approval;
 * `GET /v1/approval` with such a code → what it is good for.
 */
export function serveSignatures(http: FastifyInstance, ports: SignaturePorts): void {
  const { policyFile, keys, audit, decisions, approvals, log } = ports;

  async function sign({ type, claims }: Wanted, operator: string, more: { approval?: number } = {}) {
    const key = keys.get(ROLE_OF[type]);
    if (key === undefined) {
      decisions.refused({ operator, type, claims, outcome: 'no-key', ...more });
      throw new RejectedError('no-key', `this signer has no key for ${ROLE_OF[type]}`);
    }
    const jws = await signClaims(type, key, { ...claims, iat: Math.floor(decisions.now() / 1000) });
    const kid = key.thumbprint;
    const seq = decisions.taken({ operator, type, claims, outcome: 'signed', signer: kid, ...more });
    // With the hash: a second place that a forger would have to change.
    log.info({ seq, hash: audit.hash, operator, type, aud: claims.aud, ...more }, 'signed');
    return { jws, kid, seq };
  }

  async function signApproved(wanted: Wanted, approval: Approval) {
    const { operator, wish, seq } = approval;
    const { type, claims } = wanted;
    const nowSeconds = Math.floor(decisions.now() / 1000);
    // As the policy stands now: it may have been changed since the approval.
    const rule = ruleAgainst(policyFile, approval, nowSeconds);
    const beyond =
      type === 'sshAccess'
        ? beyondApproval(wish, claims as SshGrant, nowSeconds)
        : 'it was approved for a session';
    if (rule !== undefined || beyond !== undefined) {
      const outcome = rule === undefined ? 'not-approved' : 'not-allowed';
      decisions.refused({ operator, type, claims, outcome, approval: seq });
      throw rule === undefined
        ? new RejectedError('not-approved', `that is not what was approved: ${beyond}`)
        : new RejectedError('not-allowed', `the policy of the signer refuses: ${rule}`);
    }
    // Before the first wait: of two who come at once with the code, one gets it.
    approval.used = true;
    try {
      return await sign(wanted, operator, { approval: seq });
    } catch (error) {
      approval.used = false;
      throw error;
    }
  }

  http.get('/v1/approval', (request): AccessApproval => {
    const approval = openApproval(tokenOf(request.headers.authorization));
    if (approval === undefined) throw stranger(request.ip);
    const { operator, wish } = approval;
    return { operator, wish, expiresAt: approvals.endOf(approval) };
  });

  http.post('/v1/signatures', async (request, reply) => {
    const token = tokenOf(request.headers.authorization);
    const approval = openApproval(token);
    const caller = approval === undefined ? decisions.callerOf(token) : undefined;
    const name = approval?.operator ?? caller?.name;
    if (name === undefined) throw stranger(request.ip);
    decisions.pace(name);
    const wanted = read(request.body, name);
    if (approval !== undefined) return reply.status(201).send(await signApproved(wanted, approval));
    const { type, claims } = wanted;
    const rule = caller && judge(caller.operator, wanted, Math.floor(decisions.now() / 1000));
    if (rule !== undefined) {
      decisions.refused({ operator: name, type, claims, outcome: 'not-allowed' });
      throw new RejectedError('not-allowed', `the policy of the signer refuses: ${rule}`);
    }
    return reply.status(201).send(await sign(wanted, name));
  });

  /** @throws RejectedError `approval-used`, `approval-expired` */
  function openApproval(code: string | undefined): Approval | undefined {
    const found = code === undefined ? undefined : approvals.find(code);
    if (found?.state === 'used')
      throw new RejectedError('approval-used', 'this approval was used: a code is good for one session');
    if (found?.state === 'expired')
      throw new RejectedError('approval-expired', 'the time of this approval is over');
    return found?.approval;
  }

  function stranger(from: string): RejectedError {
    decisions.strange(from);
    return new RejectedError('unauthorized', 'the token of the signer is missing or wrong');
  }
}

/** Which rule of the policy, as it stands, is against something that was approved. */
export function ruleAgainst(
  policyFile: string,
  { operator: name, wish }: Pick<Approval, 'operator' | 'wish'>,
  nowSeconds: number,
): string | undefined {
  const operator = operatorNamed(policyFile, name);
  if (operator === undefined) return `${name} is no operator of it`;
  const claims = { aud: wish.deviceId, user: wish.user, exp: nowSeconds + wish.seconds };
  return judge(operator, { type: 'sshAccess', claims }, nowSeconds);
}

const tokenOf = (authorization = ''): string | undefined => /^Bearer (.+)$/.exec(authorization)?.[1];

/** Who asked is said by us, not by them. */
function read(body: unknown, operator: string): Wanted {
  const { type, claims } = check<SignatureRequest>(isRequest, body, 'body');
  const named = type === 'command' ? claims : { ...claims, by: operator };
  return { type, claims: check(validators[type as SignedType], named, 'claims') } as Wanted;
}
