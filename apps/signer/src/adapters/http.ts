import type { SigningKey } from '@bowline/identity';
import { BowlineError, ContractError, RejectedError, TransientError, type Logger } from '@bowline/runtime';
import { fastify, type FastifyInstance, type FastifyReply } from 'fastify';
import { serveAccess } from './access.ts';
import type { Approvals } from './approvals.ts';
import type { AuditFile } from './audit-file.ts';
import type { Decisions } from './decisions.ts';
import { statusOf } from './problems.ts';
import { serveSignatures } from './signatures.ts';

export interface SignerPorts {
  policyFile: string;
  keys: ReadonlyMap<string, SigningKey>;
  audit: AuditFile;
  decisions: Decisions;
  approvals: Approvals;
  publicUrl: () => string;
  log: Logger;
}

const MAX_BODY_BYTES = 65_536;
const REQUEST_WITHIN_MS = 10_000;

/** The signer's API, and its page for people; errors of the API as problem documents. */
export function createSigner(ports: SignerPorts): FastifyInstance {
  const { keys, log } = ports;
  const http = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_WITHIN_MS,
    forceCloseConnections: true,
  });
  http.setErrorHandler((error, _request, reply) => {
    if (error instanceof TransientError && error.retryAfterMs !== undefined)
      void reply.header('retry-after', Math.ceil(error.retryAfterMs / 1000));
    if (error instanceof TransientError && statusOf(error) === 503)
      log.error({ code: error.code }, error.message);
    if (error instanceof ContractError || error instanceof TransientError || error instanceof RejectedError)
      return refuse(reply, statusOf(error), error.code, error.message);
    if (!(error instanceof BowlineError) && error instanceof Error && 'statusCode' in error)
      return refuse(reply, Number(error.statusCode), 'bad-request', error.message);
    log.error({ error }, 'request failed');
    return refuse(reply, 500, 'internal', 'internal error; see the log of the signer');
  });
  http.get('/v1/health', () => ({ status: 'ok', roles: [...keys.keys()] }));
  serveSignatures(http, ports);
  serveAccess(http, { ...ports, signsAccess: keys.has('access') });
  return http;
}

const refuse = (reply: FastifyReply, status: number, code: string, detail: string) =>
  reply
    .status(status)
    .type('application/problem+json')
    .send(JSON.stringify({ title: code, status, code, detail }));
