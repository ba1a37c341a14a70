import type { ProblemDocument } from '@bowline/messages';
import { mayPass } from '@bowline/runtime';
import {
  BowlineError,
  CancelledError,
  ContractError,
  TransientError,
  toWireError,
} from '@bowline/runtime/errors';

const TITLES: Record<number, string> = {
  400: 'Bad request',
  403: 'Forbidden',
  404: 'Not found',
  405: 'Method not allowed',
  408: 'Request timeout',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Cannot be processed',
  429: 'Too many requests',
  431: 'Headers too large',
  500: 'Internal error',
  503: 'Unavailable',
};

/** Errors that have a status of their own; any other has that of its class. */
const STATUS_OF: Record<string, number> = {
  forbidden: 403,
  'not-found': 404,
  'method-not-allowed': 405,
  'too-slow': 408,
  'too-large': 413,
  'too-many-samples': 413,
  'message-too-large': 413,
  'unsupported-media-type': 415,
  'key-reused': 422,
  'too-fast': 429,
  'headers-too-large': 431,
};

/** After this, whoever met a fault that passes may try again. */
const RETRY_AFTER_MS = 5000;

export interface Problem {
  status: number;
  headers: Record<string, string>;
  body: ProblemDocument & { faults?: readonly string[] };
}

/** The answer to whoever asked, of whatever went wrong: a problem document (RFC 9457). */
export function problemOf(error: unknown): Problem {
  const { code, message } = toWireError(error);
  const status = statusOf(error, code);
  const faults = error instanceof BowlineError ? error.details['faults'] : undefined;
  const retryAfterMs = (error instanceof TransientError ? error.retryAfterMs : undefined) ?? RETRY_AFTER_MS;
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      ...(status === 429 || status === 503
        ? { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }
        : {}),
    },
    body: {
      title: TITLES[status] ?? 'Error',
      status,
      detail: message,
      code,
      ...(Array.isArray(faults) ? { faults: faults as string[] } : {}),
    },
  };
}

function statusOf(error: unknown, code: string): number {
  const known = Object.hasOwn(STATUS_OF, code) ? STATUS_OF[code] : undefined;
  if (known !== undefined) return known;
  if (mayPass(error) || error instanceof CancelledError) return 503;
  return error instanceof ContractError ? 400 : error instanceof BowlineError ? 422 : 500;
}
