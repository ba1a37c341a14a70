import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TransientError, writeFileDurably } from '@bowline/runtime';
import { FleetApi } from '../demo/fleet-api.ts';
import { OperatorsApi } from '../e2e/operators-api.ts';
import { WORKSPACE } from '../test/run.ts';
import { hubVisitor } from './producer.ts';

export const DEVICE_ID = 'demo';
export const VICTIMS = ['ws-gateway', 'command-executor', 'telemetry-collector', 'fleet-server'] as const;
export type Victim = (typeof VICTIMS)[number];

const RESTART_AFTER_MS = 50;
const GIVE_UP_MS = 60_000;

/** The built apps as plain processes on one temporary folder; whoever ends by a signal is started anew, as pm2 would. */
export class TortureFleet {
  readonly folder: string;
  readonly hubFolder: string;
  readonly serverDir: string;
  /** Arguments of Node for each app. */
  readonly #programs: Record<Victim, string[]>;
  readonly #children = new Map<Victim, ChildProcess>();
  readonly #url: string;
  #stopping = false;

  /** @param gateway another build of the gateway, for the negative control. */
  static async start(gateway?: string[]): Promise<TortureFleet> {
    const fleet = new TortureFleet(await freePort(), gateway);
    await fleet.#begin();
    return fleet;
  }

  private constructor(port: number, gateway: string[] | undefined) {
    this.folder = mkdtempSync('/var/tmp/bl-torture-');
    this.hubFolder = join(this.folder, 'hub');
    this.serverDir = join(this.folder, 'server');
    this.#url = `http://127.0.0.1:${port}`;
    const main = (app: string) => [join(WORKSPACE, 'apps', app, 'dist', 'main.js')];
    this.#programs = {
      'ws-gateway': gateway ?? main('ws-gateway'),
      'command-executor': main('command-executor'),
      'telemetry-collector': main('telemetry-collector'),
      'fleet-server': main('fleet-server'),
    };
    const common = (app: string) => ({ stateDir: join(this.folder, app), hubFolder: this.hubFolder });
    const gigabyte = 2 ** 30;
    const keep = { telemetryBytes: gigabyte, historyBytes: gigabyte, orders: 100_000, waitingOrders: 10_000 };
    const configs: Record<Victim, object> = {
      'fleet-server': {
        stateDir: this.serverDir,
        listen: { port },
        keep,
        link: { attemptsBurst: 100_000, reconnectMinMs: 0, reconnectMaxMs: 100 },
      },
      'ws-gateway': {
        ...common('ws-gateway'),
        enrolment: { server: this.#url, tokenFile: join(this.folder, 'token') },
        link: { allowInsecure: true, backoffBaseMs: 50, backoffCapMs: 200 },
      },
      'command-executor': common('command-executor'),
      'telemetry-collector': common('telemetry-collector'),
    };
    mkdirSync(join(this.folder, 'logs'));
    for (const app of VICTIMS) writeFileDurably(this.#file(app, 'json'), JSON.stringify(configs[app]));
  }

  get api(): OperatorsApi {
    return new OperatorsApi(this.#url, this.#token);
  }

  async isOnline(): Promise<boolean> {
    return new FleetApi(this.#url, this.#token).isOnline(DEVICE_ID);
  }

  /** Messages in the device's outbox, by the device's own word. */
  async waiting(): Promise<number> {
    const hub = hubVisitor(this.hubFolder);
    try {
      await new Promise<void>((resolve) => hub.onRegistered(() => resolve()));
      const { queue } = await hub.request('status', {});
      return Object.values(queue.lanes).reduce((sum, { messages }) => sum + messages, 0);
    } catch (error) {
      if (error instanceof TransientError) return Infinity; // the gateway is not back yet
      throw error;
    } finally {
      hub.close();
    }
  }

  /** `kill -9`, at whatever instruction it is. */
  kill(victim: Victim): void {
    this.#children.get(victim)?.kill('SIGKILL');
  }

  /** Ends the server orderly, so that its log can be read. */
  async stopServer(): Promise<void> {
    await this.#end('fleet-server', 'SIGTERM');
  }

  /** Ends everything; the folder goes unless it is worth a look. */
  async end({ keepFolder }: { keepFolder: boolean }): Promise<void> {
    this.#stopping = true;
    await Promise.all(VICTIMS.map((app) => this.#end(app, 'SIGKILL')));
    if (!keepFolder) rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #begin(): Promise<void> {
    this.#run('fleet-server');
    await until(() => new FleetApi(this.#url, '').isHealthy(), 'the server');
    const token = await new FleetApi(this.#url, this.#token).enrolmentToken(DEVICE_ID);
    writeFileDurably(join(this.folder, 'token'), token);
    for (const app of VICTIMS) if (app !== 'fleet-server') this.#run(app);
    await until(() => this.isOnline(), 'the device to be online');
  }

  get #token(): string {
    return readFileSync(join(this.serverDir, 'operator-token'), 'utf8').trim();
  }

  #run(app: Victim): void {
    const log = openSync(this.#file(app, 'log'), 'a');
    const child = spawn(process.execPath, [...this.#programs[app], '--config', this.#file(app, 'json')], {
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#children.set(app, child);
    child.once('exit', () => {
      if (this.#stopping || this.#children.get(app) !== child) return;
      setTimeout(() => {
        if (!this.#stopping) this.#run(app);
      }, RESTART_AFTER_MS);
    });
  }

  async #end(app: Victim, signal: NodeJS.Signals): Promise<void> {
    const child = this.#children.get(app);
    this.#children.delete(app);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  #file(app: Victim, kind: 'json' | 'log'): string {
    return join(this.folder, kind === 'log' ? 'logs' : '', `${app}.${kind}`);
  }
}

/** Looks again and again; a campaign that hangs is a finding, not a wait for ever. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + GIVE_UP_MS;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`gave up after ${GIVE_UP_MS} ms waiting for ${what}`);
    await sleep(20);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
