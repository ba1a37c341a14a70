import { BowlineError, ContractError, RejectedError, TransientError } from '@bowline/runtime';
import { refusal, type Refusal } from '@bowline/server-sdk';
import type { FastifyReply } from 'fastify';

const STATUS_OF: Record<string, number> = {
  unauthorized: 401,
  forbidden: 403,
  'cross-site': 403,
  'token-needed': 403,
  'unknown-device': 404,
  'unknown-operator': 404,
  'unknown-token': 404,
  'operator-exists': 409,
  'too-many-operators': 409,
  'too-many-tokens': 409,
  'last-admin': 409,
  'too-many-requests': 429,
  'unknown-rollout': 404,
  'rollout-exists': 409,
  'rollout-stopped': 409,
  'empty-group': 409,
  'release-unpublished': 409,
  'unknown-order': 404,
  'unknown-upload': 404,
  'unknown-session': 404,
  'too-many-sessions': 429,
  'order-ended': 409,
  'order-exists': 409,
  'bundle-rollback': 409,
  'device-exists': 409,
  'device-revoked': 409,
  'too-many-orders': 429,
};
const RETRY_AFTER_MS = 5000;

export function sendRefusal(reply: FastifyReply, { status, headers, body }: Refusal): FastifyReply {
  if (body.code !== undefined) (reply.request.audited ??= { target: {} }).code = body.code;
  return reply.status(status).headers(headers).send(JSON.stringify(body));
}

/** What any error becomes over HTTP: a problem document, never a stack. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof ContractError) return refusal(400, error.code, error.message);
  if (error instanceof RejectedError) return refusal(STATUS_OF[error.code] ?? 400, error.code, error.message);
  if (error instanceof TransientError) {
    const retryAfterMs = error.retryAfterMs ?? RETRY_AFTER_MS;
    return refusal(STATUS_OF[error.code] ?? 503, error.code, error.message, { retryAfterMs });
  }
  if (!(error instanceof BowlineError) && isFaultOfRequest(error)) {
    return error.statusCode === 413
      ? refusal(413, 'too-large', 'the body is too large')
      : refusal(error.statusCode, 'bad-request', error.message);
  }
  return refusal(500, 'internal', 'internal error; see the log of the server');
}

/** Fastify's own: a body that does not parse, is too large or of another type. */
const isFaultOfRequest = (error: unknown): error is Error & { statusCode: number } =>
  error instanceof Error &&
  'statusCode' in error &&
  typeof error.statusCode === 'number' &&
  error.statusCode >= 400 &&
  error.statusCode < 500;
