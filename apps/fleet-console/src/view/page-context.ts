import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { LiveFleet } from '../adapters/live-fleet.ts';
import type { Role } from '@bowline/messages';
import type { Zone } from '../core/time.ts';

/** What every part of the page needs: the fleet to ask, the moment, and the zone in which moments are written. */
export interface PageContext {
  fleet: LiveFleet;
  /** By the server's clock, epoch milliseconds; a new value each second. */
  now: number;
  zone: Zone;
  /** Whether who is signed in may do what takes a role. */
  may: (role: Role) => boolean;
}

export const PageContextProvider = createContext<PageContext | undefined>(undefined);

export function usePage(): PageContext {
  const context = useContext(PageContextProvider);
  if (context === undefined) throw new Error('used outside the page');
  return context;
}
