import { randomUUID } from 'node:crypto';
import type { Clock } from '@bowline/runtime/clock';
import { noteIncident } from './server-incidents.ts';
import { keys } from './store/keys.ts';
import { put, read, type ServerStore, type Write } from './store/server-store.ts';

export interface ServerRecord {
  serverId: string;
  serverEpoch: string;
  schemaVersion: number;
  /** How often a server was started on this store. */
  starts: number;
}

/** Version of everything in the store. A newer one is refused, an older one is migrated. */
export const STORE_SCHEMA_VERSION = 2;

/** What is remembered of a store outside of it, to know it again: devices sign tokens for this `serverId`. */
export interface RememberedStore {
  serverId: string;
  starts: number;
}

/** Who this server is, for as long as its store lives (protocol, section 3, Epochs). */
export class ServerIdentity {
  readonly #record: ServerRecord;

  private constructor(record: ServerRecord) {
    this.#record = record;
  }

  /**
   * Reads it from the store and counts the start; a new store gets a new epoch, and so does one that was started less often
   * than is remembered: somebody put an older state in its place.
   *
   * @param remembered keeps the id when the store is new.
   */
  static async load(store: ServerStore, clock: Clock, remembered?: RememberedStore): Promise<ServerIdentity> {
    const held = read<ServerRecord>(store, keys.server);
    const { serverId = randomUUID(), starts: known = 0 } = remembered ?? {};
    const starts = Math.max(held?.starts ?? 0, known) + 1;
    const setBack = held !== undefined && held.starts < known;
    const record =
      held === undefined || setBack ? newRecord(held?.serverId ?? serverId, starts) : { ...held, starts };
    const writes: Write[] = [put(keys.server, record)];
    if (setBack) {
      const message = 'the store was replaced by an older state: what happened since then is not known here';
      writes.push(noteIncident(store, { at: clock.wallMs(), kind: 'set-back', message }));
    }
    await store.write(writes);
    return new ServerIdentity(record);
  }

  /** The `aud` of link tokens. */
  get serverId(): string {
    return this.#record.serverId;
  }

  get serverEpoch(): string {
    return this.#record.serverEpoch;
  }

  get starts(): number {
    return this.#record.starts;
  }

  /** One that nobody was ever told, for a single device whose orders are numbered anew. */
  newEpoch(): string {
    return randomUUID();
  }
}

const newRecord = (serverId: string, starts: number): ServerRecord => ({
  serverId,
  serverEpoch: randomUUID(),
  schemaVersion: STORE_SCHEMA_VERSION,
  starts,
});

/**
 * What makes a store one of a new epoch: it lost something, or is a copy of an older state.
 *
 * @param remembered of this store, if its own record does not read or is an older one.
 */
export function inNewEpoch(store: Pick<ServerStore, 'get'>, remembered?: RememberedStore): Write {
  const held = read<ServerRecord>(store, keys.server);
  const serverId = held?.serverId ?? remembered?.serverId ?? randomUUID();
  return put(keys.server, newRecord(serverId, Math.max(held?.starts ?? 0, remembered?.starts ?? 0)));
}
