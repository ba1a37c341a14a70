import type { ServerIncident } from '@bowline/messages';
import { keys } from './store/keys.ts';
import { put, read, type ServerStore, type Write } from './store/server-store.ts';

const MAX_INCIDENTS = 20;

/** What befell the server's store, for its operators; the newest are kept. */
export const incidents = (store: Pick<ServerStore, 'get'>): ServerIncident[] =>
  read<ServerIncident[]>(store, keys.incidents) ?? [];

export const noteIncident = (store: Pick<ServerStore, 'get'>, incident: ServerIncident): Write =>
  put(keys.incidents, [...incidents(store), incident].slice(-MAX_INCIDENTS));
