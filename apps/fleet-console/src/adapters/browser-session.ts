/** What the browser keeps for us: the half of the session that scripts may read, and the reader's preferences. */
import { readFragment } from '../core/route.ts';

const CSRF_TOKEN = 'bowline.csrf';
const ZONE = 'bowline.zone';

/**
 * Takes a token out of the address (`#token=…`), so that it is neither in the history nor on a screen that is shared.
 *
 * @returns the token, if there was one
 */
export function takeToken(): string | undefined {
  const fragment = readFragment(location.hash);
  if (fragment.kind !== 'token') return undefined;
  const rest = fragment.deviceId === undefined ? '' : `#/${encodeURIComponent(fragment.deviceId)}`;
  history.replaceState(null, '', `${location.pathname}${location.search}${rest}`);
  return fragment.token;
}

/**
 * The session itself is in a cookie that no script can read. This stands beside it in each call, as proof that the call is
 * ours; it is kept for all tabs of this origin, and is worth nothing without the cookie.
 */
export const csrfToken = (): string | undefined => localStorage.getItem(CSRF_TOKEN) ?? undefined;
export const keepCsrfToken = (token: string): void => localStorage.setItem(CSRF_TOKEN, token);
export const forgetCsrfToken = (): void => localStorage.removeItem(CSRF_TOKEN);

/** The reader's own zone, or UTC where they prefer that. */
export const localZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
export const preferredZone = (): string => (localStorage.getItem(ZONE) === 'UTC' ? 'UTC' : localZone());
export const preferZone = (zone: string): void => localStorage.setItem(ZONE, zone);
