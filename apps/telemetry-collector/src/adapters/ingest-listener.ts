import type { Server } from 'node:http';
import { listenLocally, type Logger } from '@bowline/runtime';
import type { CollectorConfig } from '../config.ts';
import type { Ingest } from '../core/ingest/ingest.ts';
import { httpEndpoint } from './http-endpoint.ts';
import { ingestRoutes } from './ingest-routes.ts';
import { closeServer } from './close-server.ts';

type IngestConfig = CollectorConfig['ingest'];

/** The unix socket of the ingest, as long as the configuration names one. */
export class IngestListener {
  readonly #ingest: Ingest;
  readonly #log: Logger;
  #config: IngestConfig | undefined;
  #server: Server | undefined;

  constructor(ingest: Ingest, log: Logger) {
    this.#ingest = ingest;
    this.#log = log;
  }

  /** @throws ConfigError `socket-path-too-long`, `socket-folder-unsafe`, `socket-unusable`. */
  async configure(config: IngestConfig): Promise<void> {
    const { socket, socketMode } = config;
    const isSame = this.#config?.socket === socket && this.#config?.socketMode === socketMode;
    this.#config = config;
    if (isSame) return;
    await this.close();
    if (socket === undefined) return;
    const limits = () => this.#config ?? config;
    const server = httpEndpoint({ routes: ingestRoutes(this.#ingest, limits), limits, log: this.#log });
    await listenLocally(server, socket, Number.parseInt(socketMode, 8));
    this.#server = server;
    this.#log.info({ socket }, 'programs of this device may hand in samples and events');
  }

  /** Takes no more requests; resolves when those in work have ended. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await closeServer(server);
  }
}
