/** What the browser keeps for us: the token for as long as the tab lives, the reader's preferences for longer. */
import { readFragment } from '../core/route.ts';

const TOKEN = 'bowline.token';
const ZONE = 'bowline.zone';

/**
 * Takes a token out of the address (`#token=…`), so that it is neither in the history nor on a screen that is shared.
 *
 * @returns the token of this tab, if it has one
 */
export function takeToken(): string | undefined {
  const fragment = readFragment(location.hash);
  if (fragment.kind === 'token') {
    sessionStorage.setItem(TOKEN, fragment.token);
    const rest = fragment.deviceId === undefined ? '' : `#/${encodeURIComponent(fragment.deviceId)}`;
    history.replaceState(null, '', `${location.pathname}${location.search}${rest}`);
  }
  return sessionStorage.getItem(TOKEN) ?? undefined;
}

export const keepToken = (token: string): void => sessionStorage.setItem(TOKEN, token);
export const forgetToken = (): void => sessionStorage.removeItem(TOKEN);

/** The reader's own zone, or UTC where they prefer that. */
export const localZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
export const preferredZone = (): string => (localStorage.getItem(ZONE) === 'UTC' ? 'UTC' : localZone());
export const preferZone = (zone: string): void => localStorage.setItem(ZONE, zone);
