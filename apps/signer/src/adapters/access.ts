import { check, type AccessWish } from '@bowline/messages';
import { accessWish as isWish } from '@bowline/messages/signer';
import { BowlineError, ContractError, RejectedError, TransientError } from '@bowline/runtime';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { accessForm, wishIn } from '../core/access-form.ts';
import { approvedPage, formPage, refusedPage } from '../core/access-page.ts';
import { STYLE } from '../core/page-style.ts';
import type { Approvals } from './approvals.ts';
import type { Decisions } from './decisions.ts';
import { statusOf } from './problems.ts';
import { ruleAgainst } from './signatures.ts';

export interface AccessPorts {
  policyFile: string;
  /** Whether there is a key that signs grants. */
  signsAccess: boolean;
  decisions: Decisions;
  approvals: Approvals;
  /** By which browsers know the signer. */
  publicUrl: () => string;
}

/**
 * No script, nothing from elsewhere, in no frame, and out of reach of the page that opened it. `same-origin`: browsers then say
 * of a form where it was sent from.
 */
const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

/**
 * `GET /access`, `POST /access`: where a person approves a session. There is no sign-in and no cookie: each approval takes the
 * operator's token, so that no other page can make the browser approve anything (ADR 0035).
 */
export function serveAccess(http: FastifyInstance, ports: AccessPorts): void {
  const { policyFile, signsAccess, decisions, approvals, publicUrl } = ports;
  const show = (reply: FastifyReply, status: number, page: string) =>
    reply.status(status).headers(PAGE_HEADERS).send(page);

  http.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, new URLSearchParams(String(body))),
  );

  http.get('/access.css', (_request, reply) =>
    reply.headers({ ...PAGE_HEADERS, 'content-type': 'text/css; charset=utf-8' }).send(STYLE),
  );

  http.get('/access', (request, reply) => {
    const { searchParams } = new URL(request.url, publicUrl());
    return show(reply, 200, formPage(accessForm(searchParams)));
  });

  http.post('/access', (request, reply) => {
    if (request.headers.origin !== publicUrl()) return show(reply, 403, refusedPage(publicUrl()));
    const fields = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
    const form = accessForm(fields);
    try {
      const approved = approve(fields, request.ip);
      return show(reply, 201, approvedPage(approved));
    } catch (error) {
      if (!(error instanceof BowlineError)) throw error;
      return show(reply, statusOf(error), formPage(form, sentence(error)));
    }
  });

  function approve(fields: URLSearchParams, from: string) {
    const form = accessForm(fields);
    const caller = decisions.callerOf(fields.get('token')?.trim() || undefined);
    if (caller === undefined || caller.name !== form.operator.trim()) {
      decisions.strange(from);
      throw new RejectedError('unauthorized', 'the name or the token is wrong');
    }
    const { name: operator } = caller;
    decisions.pace(operator);
    const wish = check<AccessWish>(isWish, wishIn(form), 'form');
    const entry = { operator, type: 'sshAccess', claims: wish };
    const rule = ruleAgainst(policyFile, { operator, wish }, Math.floor(decisions.now() / 1000));
    if (rule !== undefined) {
      decisions.refused({ ...entry, outcome: 'not-allowed' });
      throw new RejectedError('not-allowed', `the policy of the signer refuses: ${rule}`);
    }
    if (!signsAccess) {
      decisions.refused({ ...entry, outcome: 'no-key' });
      throw new RejectedError('no-key', 'this signer has no key for access');
    }
    const seq = decisions.taken({ ...entry, outcome: 'approved' });
    const code = approvals.add({ operator, wish, seq });
    return { wish, operator, code, signerUrl: publicUrl(), validMinutes: approvals.validMs / 60_000 };
  }
}

function sentence(error: BowlineError): string {
  const waitMs = error instanceof TransientError ? error.retryAfterMs : undefined;
  const words = error instanceof ContractError ? `That cannot be approved: ${error.message}` : error.message;
  const seconds = waitMs === undefined ? '' : ` ${Math.ceil(waitMs / 1000)} s`;
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${seconds}.`;
}
