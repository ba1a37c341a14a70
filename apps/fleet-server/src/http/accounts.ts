import { check, type OperatorSession } from '@bowline/messages';
import { RejectedError } from '@bowline/runtime';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import * as validators from '../generated/bodies.js';
import type { AuditLog } from '../operators/audit-log.ts';
import type { OperatorDirectory } from '../operators/operator-directory.ts';
import type { Sessions } from '../operators/sessions.ts';
import { note } from './audit.ts';
import type { NewOperatorBody, NewOperatorTokenBody } from './bodies.ts';
import type { Caller, Gate } from './gate.ts';
import { countOf, limitOf } from './query.ts';
import { endedCookie, sessionCookie, sessionIdOf } from './session-cookie.ts';

export interface AccountsPorts {
  directory: OperatorDirectory;
  sessions: Sessions;
  audit: AuditLog;
}

type OfOperator = { Params: { name: string } };
type OfToken = { Params: { name: string; tokenId: string } };
type Page = { Querystring: { after?: string; before?: string; limit?: string } };

/** Operators, their tokens and sessions, and what they did (README). Who may call it was checked before. */
export function serveAccounts(
  http: FastifyInstance,
  { directory, sessions, audit }: AccountsPorts,
  gate: Pick<Gate, 'cookieScope'>,
): void {
  const { idleMs, maxAgeMs } = sessions.limits;

  http.post('/v1/session', async (request, reply) => {
    const { operator, role, tokenId, via } = callerOf(request);
    // Else whoever got hold of one session would have others without end: it lasts `sessionMaxMs`, then the token is asked for.
    if (via !== 'token')
      throw new RejectedError('token-needed', 'a session begins with a token, not with another session');
    // The cookie that this browser has is about to be replaced.
    const before = sessionIdOf(request.headers.cookie, gate.cookieScope(request));
    if (before !== undefined) await sessions.end(before);
    const { id, csrfToken, expiresAt } = await sessions.begin(tokenId);
    const session: OperatorSession = { operator, role, csrfToken, expiresAt, idleMs };
    return reply
      .status(201)
      .header('set-cookie', sessionCookie(id, maxAgeMs, gate.cookieScope(request)))
      .send(session);
  });

  http.get('/v1/session', (request): OperatorSession => {
    const { operator, role, sessionId } = callerOf(request);
    const session = sessionId === undefined ? undefined : sessions.find(sessionId);
    return { operator, role, ...(session === undefined ? {} : { expiresAt: session.expiresAt, idleMs }) };
  });

  http.delete('/v1/session', async (request, reply) => {
    const { sessionId } = callerOf(request);
    if (sessionId !== undefined) await sessions.end(sessionId);
    return reply.header('set-cookie', endedCookie(gate.cookieScope(request))).send({});
  });

  http.get('/v1/operators', () => ({ operators: directory.list() }));

  http.post('/v1/operators', async (request, reply) => {
    const wanted = check<NewOperatorBody>(validators.operator, request.body, 'body');
    const made = await directory.create(wanted, callerOf(request).operator);
    note(request, { tokenId: made.tokenId });
    return reply.status(201).send(made);
  });

  http.post<OfOperator>('/v1/operators/:name/revoke', async ({ params: { name } }) => {
    await directory.remove(name);
    return {};
  });

  http.post<OfOperator>('/v1/operators/:name/tokens', async (request, reply) => {
    const wanted = check<NewOperatorTokenBody>(validators.operatorToken, request.body ?? {}, 'body');
    const made = await directory.addToken(request.params.name, wanted);
    note(request, { tokenId: made.tokenId });
    return reply.status(201).send(made);
  });

  http.post<OfToken>('/v1/operators/:name/tokens/:tokenId/revoke', async ({ params: { name, tokenId } }) => {
    await directory.removeToken(name, tokenId);
    return {};
  });

  http.get<Page>('/v1/audit', ({ query }) => {
    const after = countOf(query.after, 'after');
    const before = countOf(query.before, 'before');
    const limit = limitOf(query.limit, 100, 1000);
    return audit.page({
      limit,
      ...(after === undefined ? {} : { after }),
      ...(before === undefined ? {} : { before }),
    });
  });
}

function callerOf({ caller }: FastifyRequest): Caller {
  if (caller === undefined) throw new TypeError('this endpoint must not be open to anyone');
  return caller;
}
