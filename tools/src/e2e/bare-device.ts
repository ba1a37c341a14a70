import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectHub, type HubClient } from '@bowline/ipc';
import { createLogger, systemClock } from '@bowline/runtime';
import { startProcess, temporaryFolder, type TestProcess } from '@bowline/testing';
import { WORKSPACE } from '../test/run.ts';
import type { ForeignServer } from './foreign-server.ts';

/** The gateway and the executor as they are shipped, without pm2. */
export class BareDevice {
  readonly folder = temporaryFolder();
  readonly hubFolder = join(this.folder, 'hub');
  #gateway: TestProcess | undefined;

  constructor({ url, token }: ForeignServer) {
    writeFileSync(join(this.folder, 'token'), token);
    this.#configure('ws-gateway', {
      enrolment: { server: url, tokenFile: join(this.folder, 'token') },
      link: { allowInsecure: true, backoffBaseMs: 50, backoffCapMs: 250 },
    });
    this.#configure('command-executor', {});
  }

  startGateway(): void {
    this.#gateway = this.#start('ws-gateway');
  }

  async killGateway(): Promise<void> {
    await this.#gateway?.kill('SIGKILL');
  }

  startExecutor(): void {
    this.#start('command-executor');
  }

  /** Keeps the gateway's state of now; `restore` takes it back to that. Only while it does not run. */
  backup(): void {
    cpSync(this.#state, `${this.#state}.kept`, { recursive: true });
  }

  restore(): void {
    rmSync(this.#state, { recursive: true });
    cpSync(`${this.#state}.kept`, this.#state, { recursive: true });
  }

  get #state(): string {
    return join(this.folder, 'ws-gateway');
  }

  #configure(app: string, config: Record<string, unknown>): void {
    const common = { stateDir: join(this.folder, app), hubFolder: this.hubFolder };
    writeFileSync(join(this.folder, `${app}.json`), JSON.stringify({ ...common, ...config }));
  }

  #start(app: string): TestProcess {
    const main = join(WORKSPACE, 'apps', app, 'dist/main.js');
    return startProcess(process.execPath, [main, '--config', join(this.folder, `${app}.json`)]);
  }

  connect(): HubClient {
    return connectHub({
      folder: this.hubFolder,
      app: 'cli',
      version: '0',
      orderTypes: [],
      log: createLogger({ app: 'cli', level: 'error' }),
      clock: systemClock,
    });
  }
}
