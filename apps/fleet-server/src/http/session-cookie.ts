import type { IncomingHttpHeaders } from 'node:http';

/** The header beside the cookie, and what the page got it from: `POST /v1/session`. */
export const CSRF_HEADER = 'x-csrf-token';

/** Over TLS `__Host-`: no other host or path can set it, and it never goes out in the clear. */
const nameOf = (secure: boolean): string => (secure ? '__Host-bowline-session' : 'bowline-session');

export function sessionCookie(id: string, maxAgeMs: number, secure: boolean): string {
  const parts = [`${nameOf(secure)}=${id}`, 'Path=/', `Max-Age=${Math.floor(maxAgeMs / 1000)}`];
  return [...parts, 'HttpOnly', 'SameSite=Strict', ...(secure ? ['Secure'] : [])].join('; ');
}

export const endedCookie = (secure: boolean): string => sessionCookie('', 0, secure);

export function sessionIdOf(cookie: string | undefined, secure: boolean): string | undefined {
  const name = `${nameOf(secure)}=`;
  const found = cookie?.split(/; */).find((pair) => pair.startsWith(name));
  return found?.slice(name.length);
}

/**
 * Whether a page of ours made the request: the browser says so itself (Fetch Metadata), or by the origin. A browser sends one
 * of them on all that could change something; what sends neither is none.
 */
export function comesFromOwnPage(headers: IncomingHttpHeaders, origins: readonly string[]): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return false;
  const { origin, host } = headers;
  if (origin === undefined) return true;
  return origins.includes(origin) || (URL.canParse(origin) && new URL(origin).host === host);
}
