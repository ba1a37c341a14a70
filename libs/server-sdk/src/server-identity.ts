import { randomUUID } from 'node:crypto';
import { keys } from './store/keys.ts';
import { put, read, type ServerStore } from './store/server-store.ts';

interface ServerRecord {
  serverId: string;
  serverEpoch: string;
  schemaVersion: number;
}

const SCHEMA_VERSION = 1;

/** Who this server is, for as long as its store lives (protocol, section 3, Epochs). */
export class ServerIdentity {
  readonly #store: ServerStore;
  #record: ServerRecord;

  private constructor(store: ServerStore, record: ServerRecord) {
    this.#store = store;
    this.#record = record;
  }

  /** Reads it from the store; a new store gets a new one. @param serverId for a new store; default random. */
  static async load(store: ServerStore, serverId: string = randomUUID()): Promise<ServerIdentity> {
    const known = read<ServerRecord>(store, keys.server);
    const record = known ?? { serverId, serverEpoch: randomUUID(), schemaVersion: SCHEMA_VERSION };
    if (known === undefined) await store.write([put(keys.server, record)]);
    return new ServerIdentity(store, record);
  }

  /** The `aud` of link tokens. */
  get serverId(): string {
    return this.#record.serverId;
  }

  get serverEpoch(): string {
    return this.#record.serverEpoch;
  }

  /** A device knows more than this store does: it was restored from an older state. */
  renewEpoch(): void {
    this.#record = { ...this.#record, serverEpoch: randomUUID() };
    void this.#store.write([put(keys.server, this.#record)]);
  }
}
