/** The store alone, for the process that checks it before the server opens it. */
export {
  inNewEpoch,
  ServerIdentity,
  STORE_SCHEMA_VERSION,
  type RememberedStore,
  type ServerRecord,
} from './server-identity.ts';
export { incidents, noteIncident } from './server-incidents.ts';
export {
  GroupCommitStore,
  type GroupCommitOptions,
  type Pieces,
  type StoreBackend,
} from './store/group-commit-store.ts';
export { keys } from './store/keys.ts';
export { memoryStore, MemoryBackend } from './store/memory-store.ts';
export { repair, type RepairFacts } from './store/repair.ts';
export {
  parse,
  put,
  read,
  remove,
  within,
  type Entry,
  type KeyRange,
  type ServerStore,
  type Write,
} from './store/server-store.ts';
