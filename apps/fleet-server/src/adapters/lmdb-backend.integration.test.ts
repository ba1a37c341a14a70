import { join } from 'node:path';
import { GroupCommitStore, type ServerStore } from '@bowline/server-sdk';
import { serverStoreContract } from '@bowline/server-sdk/store-contract';
import { temporaryFolder } from '@bowline/testing';
import { LmdbBackend } from './lmdb-backend.ts';

const folders = new WeakMap<ServerStore, string>();
const openIn = (folder: string): ServerStore => {
  const store = new GroupCommitStore(new LmdbBackend(folder));
  folders.set(store, folder);
  return store;
};

serverStoreContract(
  'lmdb',
  () => openIn(join(temporaryFolder(), 'store')),
  (closed) => openIn(folders.get(closed) ?? ''),
);
