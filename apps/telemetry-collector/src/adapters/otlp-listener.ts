import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock, Logger } from '@bowline/runtime';
import { ConfigError } from '@bowline/runtime/errors';
import type { CollectorConfig } from '../config.ts';
import type { Ingest } from '../core/ingest/ingest.ts';
import type { SeriesNames } from '../core/series-names.ts';
import { httpEndpoint } from './http-endpoint.ts';
import { KeepTrying } from './keep-trying.ts';
import { closeServer } from './close-server.ts';
import { otlpRoute } from './otlp-route.ts';

const LOOPBACK = '127.0.0.1';

/** OTLP on a port of loopback, as long as it is switched on. */
export class OtlpListener {
  readonly #ingest: Ingest;
  readonly #names: SeriesNames;
  readonly #log: Logger;
  #config: CollectorConfig | undefined;
  readonly #keepTrying: KeepTrying;
  #server: Server | undefined;

  constructor(ingest: Ingest, names: SeriesNames, clock: Clock, log: Logger) {
    this.#ingest = ingest;
    this.#names = names;
    this.#log = log;
    this.#keepTrying = new KeepTrying(clock, log);
  }

  /** A port that is taken is tried again. */
  async configure(config: CollectorConfig): Promise<void> {
    const { enabled, port } = config.otlp;
    const before = this.#config?.otlp;
    this.#config = config;
    if (before?.enabled === enabled && before.port === port) return;
    await this.close();
    if (enabled) await this.#keepTrying.start(() => this.#open(config));
  }

  /** @throws ConfigError `port-taken` */
  async #open(config: CollectorConfig): Promise<void> {
    const { port } = config.otlp;
    const limits = () => (this.#config ?? config).ingest;
    const server = httpEndpoint({
      routes: [otlpRoute(this.#ingest, limits, this.#names.of)],
      limits,
      log: this.#log,
    });
    try {
      server.listen(port, LOOPBACK);
      await once(server, 'listening');
    } catch (error) {
      throw new ConfigError('port-taken', `otlp.port ${port}: ${(error as Error).message}`, { cause: error });
    }
    this.#server = server;
    const url = `http://${LOOPBACK}:${(server.address() as AddressInfo).port}/v1/metrics`;
    this.#log.info({ url }, 'OpenTelemetry SDKs of this device may send metrics (OTLP, http/json)');
  }

  async close(): Promise<void> {
    this.#keepTrying.stop();
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await closeServer(server);
  }
}
