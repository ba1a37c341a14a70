import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectHub, type HubClient } from '@bowline/ipc';
import type { DeviceStatus } from '@bowline/messages/hub';
import { createLogger, systemClock } from '@bowline/runtime';
import { afterThisFile, startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { WORKSPACE } from '../test/run.ts';
import { bowline, type Ended } from './plain-server.ts';

/** The gateway and the executor as they are shipped, without pm2. */
export class BareDevice {
  readonly folder = temporaryFolder();
  readonly hubFolder = join(this.folder, 'hub');
  readonly #enrolment: object;
  #gateway: TestProcess | undefined;
  #hub: HubClient | undefined;

  /** @param token put where the device looks for one. @param link settings besides those of every test. */
  constructor(
    { url, token }: { url?: string; token?: string },
    { link = {}, enrolment = {} }: { link?: object; enrolment?: object } = {},
  ) {
    if (token !== undefined) writeFileSync(this.tokenFile, token);
    const server = url === undefined ? {} : { server: url };
    this.#enrolment = { ...server, tokenFile: this.tokenFile, ...enrolment };
    this.configure(link);
    this.#configure('command-executor', {});
    const where = { runDir: this.folder, hubFolder: this.hubFolder, pm2Home: join(this.folder, 'pm2') };
    writeFileSync(join(this.folder, 'run.json'), JSON.stringify(where));
  }

  /** Other settings of the link, for the next start of the gateway. */
  configure(link: object): void {
    this.#configure('ws-gateway', {
      enrolment: this.#enrolment,
      link: { allowInsecure: true, backoffBaseMs: 50, backoffCapMs: 250, ...link },
    });
  }

  get tokenFile(): string {
    return join(this.folder, 'token');
  }

  /** The gateway's own folder. */
  get state(): string {
    return join(this.folder, 'ws-gateway');
  }

  startGateway({ env = {} }: { env?: Record<string, string> } = {}): TestProcess {
    this.#gateway = this.#start('ws-gateway', env);
    return this.#gateway;
  }

  /** `bowline …`, as somebody types it at the device. */
  bowline(...args: string[]): Promise<Ended> {
    return bowline(['--home', this.folder, ...args]);
  }

  /** Of the gateway, over a visit to its hub. */
  status(): Promise<DeviceStatus> {
    const hub = (this.#hub ??= this.connect());
    return waitFor(() => hub.request('status', {}), { what: 'the gateway' });
  }

  /** Waits until the gateway says that its link is up. */
  async untilOnline(): Promise<DeviceStatus> {
    const online = async () => {
      const status = await this.status();
      return status.link.state === 'online' && status;
    };
    return waitFor(online, { what: 'the link' });
  }

  /** Waits until the link is down for this reason. */
  async untilOffline(code: string): Promise<DeviceStatus> {
    const offline = async () => {
      const status = await this.status();
      return status.link.state === 'offline' && status.link.lastError?.code === code && status;
    };
    return waitFor(offline, { what: `the link to be down by ${code}` });
  }

  get gateway(): TestProcess | undefined {
    return this.#gateway;
  }

  async killGateway(): Promise<void> {
    await this.#gateway?.kill('SIGKILL');
  }

  /** @param config besides where its state and the hub are */
  startCollector(config: object, env: Record<string, string> = {}): TestProcess {
    this.#configure('telemetry-collector', { ...config });
    return this.#start('telemetry-collector', env);
  }

  startExecutor(): void {
    this.#start('command-executor');
  }

  /** Keeps the gateway's state of now; `restore` takes it back to that. Only while it does not run. */
  backup(): void {
    cpSync(this.state, `${this.state}.kept`, { recursive: true });
  }

  restore(): void {
    rmSync(this.state, { recursive: true });
    cpSync(`${this.state}.kept`, this.state, { recursive: true });
  }

  #configure(app: string, config: Record<string, unknown>): void {
    const common = { stateDir: join(this.folder, app), hubFolder: this.hubFolder };
    writeFileSync(join(this.folder, `${app}.json`), JSON.stringify({ ...common, ...config }));
  }

  #start(app: string, env: Record<string, string> = {}): TestProcess {
    const main = join(WORKSPACE, 'apps', app, 'dist/main.js');
    const args = [main, '--config', join(this.folder, `${app}.json`)];
    return startProcess(process.execPath, args, { env: { ...process.env, ...env } });
  }

  connect(): HubClient {
    const hub = connectHub({
      folder: this.hubFolder,
      app: 'cli',
      version: '0',
      orderTypes: [],
      log: createLogger({ app: 'cli', level: 'error' }),
      clock: systemClock,
    });
    afterThisFile(() => hub.close());
    return hub;
  }
}
