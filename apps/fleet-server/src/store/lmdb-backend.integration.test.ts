import { join } from 'node:path';
import { GroupCommitStore, type ServerStore } from '@bowline/server-sdk/store';
import { serverStoreContract } from '@bowline/server-sdk/store-contract';
import { temporaryFolder } from '@bowline/testing';
import { LmdbBackend } from './lmdb-backend.ts';

const files = new WeakMap<ServerStore, string>();
const openIn = (file: string): ServerStore => {
  const store = new GroupCommitStore(new LmdbBackend(file));
  files.set(store, file);
  return store;
};

serverStoreContract(
  'lmdb',
  () => openIn(join(temporaryFolder(), 'store.mdb')),
  (closed) => openIn(files.get(closed) ?? ''),
);
