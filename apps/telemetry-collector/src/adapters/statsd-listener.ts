import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Clock, Logger, Timer } from '@bowline/runtime';
import { ConfigError } from '@bowline/runtime/errors';
import type { CollectorConfig } from '../config.ts';
import type { Ingest } from '../core/ingest/ingest.ts';
import type { SeriesNames } from '../core/series-names.ts';
import { KeepTrying } from './keep-trying.ts';
import { StatsdWindow } from '../core/statsd/statsd-window.ts';

type StatsdConfig = CollectorConfig['statsd'];

const LOOPBACK = '127.0.0.1';

/** StatsD over UDP on loopback, as long as it is switched on. Whatever comes, nothing is answered: that is StatsD. */
export class StatsdListener {
  readonly #ingest: Ingest;
  readonly #names: SeriesNames;
  readonly #clock: Clock;
  readonly #log: Logger;
  #config: StatsdConfig | undefined;
  #socket: Socket | undefined;
  #window: StatsdWindow | undefined;
  #timer: Timer | undefined;
  readonly #keepTrying: KeepTrying;
  #told = 0;

  constructor(ingest: Ingest, names: SeriesNames, clock: Clock, log: Logger) {
    this.#ingest = ingest;
    this.#names = names;
    this.#clock = clock;
    this.#log = log;
    this.#keepTrying = new KeepTrying(clock, log);
  }

  /** A port that is taken is tried again. */
  async configure(config: StatsdConfig): Promise<void> {
    const before = this.#config;
    this.#config = config;
    this.#window?.reconfigure({ series: config.series });
    if (before?.enabled === config.enabled && before.port === config.port) return;
    await this.close();
    if (config.enabled) await this.#keepTrying.start(() => this.#open(config));
  }

  /** What came and was not told yet goes into the buffer. */
  async close(): Promise<void> {
    this.#keepTrying.stop();
    this.#timer?.cancel();
    this.#flush();
    const socket = this.#socket;
    this.#socket = undefined;
    this.#window = undefined;
    if (socket === undefined) return;
    socket.close();
    await once(socket, 'close');
  }

  /** @throws ConfigError `port-taken` */
  async #open({ port, series }: StatsdConfig): Promise<void> {
    const socket = createSocket('udp4');
    const window = new StatsdWindow({ series }, this.#names.of);
    socket.on('message', (datagram) => window.take(datagram.toString()));
    try {
      socket.bind(port, LOOPBACK);
      await once(socket, 'listening');
    } catch (error) {
      socket.close();
      throw new ConfigError('port-taken', `statsd.port ${port}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    socket.on('error', (error) => this.#log.warn({ error }, 'the StatsD socket has failed'));
    this.#socket = socket;
    this.#window = window;
    this.#arm();
    this.#log.info({ port: socket.address().port }, 'programs of this device may send StatsD');
  }

  #arm(): void {
    this.#timer = this.#clock.after(this.#config?.flushMs ?? 0, () => {
      this.#flush();
      this.#arm();
    });
  }

  #flush(): void {
    const window = this.#window;
    if (window === undefined) return;
    this.#ingest.measured(window.flush());
    if (window.refused === this.#told) return;
    this.#log.warn(
      { lines: window.refused - this.#told },
      'lines of StatsD were not taken: they are none, or there are too many series',
    );
    this.#told = window.refused;
  }
}
