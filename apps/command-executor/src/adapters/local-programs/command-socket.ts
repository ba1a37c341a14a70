import { createServer, type Server, type Socket } from 'node:net';
import { listenLocally, systemNumber, type Clock, type Logger, type Timer } from '@bowline/runtime';
import { BowlineError, ConfigError } from '@bowline/runtime/errors';
import type { ExecutorConfig } from '../../config.ts';

export interface CommandSocketOptions {
  config: ExecutorConfig['commandSocket'];
  take(socket: Socket): void;
  /** What keeps it from listening; told once for each reason. */
  report(why: string): void;
  clock: Clock;
  log: Logger;
}

const TRY_AGAIN_MS = 10_000;
/** Beyond the programs that may be: they are told why not. */
const TO_BE_REFUSED = 16;

/**
 * The unix socket of programs with commands, if the configuration names one. Where it cannot be made the other commands go on,
 * and it is tried again until it can.
 */
export class CommandSocket {
  readonly #options: CommandSocketOptions;
  #server: Server | undefined;
  #again: Timer | undefined;
  #told: string | undefined;
  #closed = false;

  constructor(options: CommandSocketOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const { config, clock, log, take, report } = this.#options;
    const { path, mode, maxPrograms } = config;
    if (path === undefined || this.#closed) return;
    const server = createServer(take);
    server.maxConnections = maxPrograms + TO_BE_REFUSED;
    try {
      await listenLocally(server, path, Number.parseInt(mode, 8), groupOf(config));
      server.on('error', (error) => log.error({ error }, 'the command socket failed'));
      log.info({ socket: path }, 'programs of this device may register commands');
      this.#server = server;
      if (this.#closed) this.close();
    } catch (error) {
      if (!(error instanceof BowlineError)) throw error;
      if (this.#told !== error.message) report(error.message);
      this.#told = error.message;
      this.#again = clock.after(TRY_AGAIN_MS, () => void this.open());
    }
  }

  close(): void {
    this.#closed = true;
    this.#again?.cancel();
    this.#server?.close();
  }
}

function groupOf({ group }: ExecutorConfig['commandSocket']): number | undefined {
  if (group === undefined) return undefined;
  const number = systemNumber(group, '/etc/group');
  if (number === undefined)
    throw new ConfigError('socket-unusable', `commandSocket.group: there is no group ${group} in /etc/group`);
  return number;
}
