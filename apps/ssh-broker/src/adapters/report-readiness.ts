import { join } from 'node:path';
import { reportDurably } from '@bowline/device-app';
import type { HubClient } from '@bowline/ipc';
import { AGENT_VERSION, type Clock, type Logger } from '@bowline/runtime';
import { readinessKey, sshReady } from '../core/ssh-ready.ts';
import type { FoundSshd } from './find-sshd.ts';

export interface ReadinessPorts {
  client: Pick<HubClient, 'enqueue'>;
  clock: Clock;
  log: Pick<Logger, 'info'>;
  signal: AbortSignal;
  stateDir: string;
  bootId: string;
}

/** Tells the operators whether sessions can be opened here, once for each boot, version and sshd. */
export class ReadinessReport {
  readonly #ports: ReadinessPorts;
  #reporting: Promise<void> = Promise.resolve();

  constructor(ports: ReadinessPorts) {
    this.#ports = ports;
  }

  send(found: FoundSshd): void {
    const { client, clock, log, signal, stateDir, bootId } = this.#ports;
    const readiness = { version: AGENT_VERSION, bootId, ...found };
    const report = {
      file: join(stateDir, 'reported.json'),
      key: readinessKey(readiness),
      event: (at: number) => sshReady(readiness, at),
    };
    this.#reporting = this.#reporting
      .then(() => reportDurably(report, { client, clock, signal }))
      .then((reported) => log.info({ ...readiness, reported }, 'ssh ready'));
  }

  /** Resolves when all was handed over, or is left because the app ends. */
  sent(): Promise<void> {
    return this.#reporting;
  }
}
