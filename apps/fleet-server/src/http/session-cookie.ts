import type { IncomingHttpHeaders } from 'node:http';

/** The header beside the cookie, and what the page got it from: `POST /v1/session`. */
export const CSRF_HEADER = 'x-csrf-token';

/** How browsers reach us. */
export interface CookieScope {
  /** Over TLS: then `__Host-`, so that no other host or path can set it, and it never goes out in the clear. */
  secure: boolean;
  /** Cookies know no ports: two servers on one machine must not sign each other's operators out. */
  port: number | undefined;
}

const nameOf = ({ secure, port = 0 }: CookieScope): string => `${secure ? '__Host-' : ''}bowline-${port}`;

export function sessionCookie(id: string, maxAgeMs: number, scope: CookieScope): string {
  const parts = [`${nameOf(scope)}=${id}`, 'Path=/', `Max-Age=${Math.floor(maxAgeMs / 1000)}`];
  return [...parts, 'HttpOnly', 'SameSite=Strict', ...(scope.secure ? ['Secure'] : [])].join('; ');
}

export const endedCookie = (scope: CookieScope): string => sessionCookie('', 0, scope);

export function sessionIdOf(cookie: string | undefined, scope: CookieScope): string | undefined {
  const name = `${nameOf(scope)}=`;
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
