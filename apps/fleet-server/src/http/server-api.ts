import { statSync } from 'node:fs';
import type { StoreFiles } from '@bowline/record-store';
import type { ServerInfo } from '@bowline/messages';
import { incidents, type ServerIdentity, type ServerStore } from '@bowline/server-sdk';
import type { FastifyInstance } from 'fastify';
import type { Backups } from '../store/backups.ts';
import type { LmdbBackend } from '../store/lmdb-backend.ts';

export interface ServerApiPorts {
  identity: ServerIdentity;
  store: ServerStore;
  backend: LmdbBackend;
  files: StoreFiles;
  backups: Backups;
  signerUrl: string | undefined;
}

/** The server itself, for its operators: who it is, what befell its store, its backups. */
export function serveServerItself(http: FastifyInstance, ports: ServerApiPorts): void {
  const { identity, store, backend, files, backups, signerUrl } = ports;
  http.get('/v1/server', (): ServerInfo => ({
    serverId: identity.serverId,
    serverEpoch: identity.serverEpoch,
    ...(signerUrl === undefined ? {} : { signerUrl }),
    store: { fileBytes: statSync(files.current).size, usedBytes: backend.usedBytes },
    incidents: incidents(store).toReversed(),
  }));
  http.get('/v1/server/backups', () => ({ backups: backups.list() }));
  http.post('/v1/server/backups', async (_request, reply) => reply.status(201).send(await backups.create()));
}
