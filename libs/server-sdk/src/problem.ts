import type { ProblemDocument } from '@bowline/messages';

const TITLES: Record<number, string> = {
  400: 'Bad request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not found',
  408: 'Request timeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'Too large',
  426: 'Upgrade required',
  429: 'Too many requests',
  431: 'Headers too large',
  500: 'Internal error',
  503: 'Unavailable',
};

/** An answer that says no: a problem document (RFC 9457) and its headers. */
export interface Refusal {
  status: number;
  headers: Record<string, string>;
  body: ProblemDocument;
}

export function refusal(
  status: number,
  code: string,
  detail: string,
  facts: { serverTime?: number; retryAfterMs?: number } = {},
): Refusal {
  const { serverTime, retryAfterMs } = facts;
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      ...(retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }),
    },
    body: {
      title: TITLES[status] ?? 'Error',
      status,
      detail,
      code,
      ...(serverTime === undefined ? {} : { serverTime }),
    },
  };
}
