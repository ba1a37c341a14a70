import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LaneStatus } from '@bowline/messages/hub';
import { TransientError, writeFileDurably } from '@bowline/runtime';
import { freePort } from '@bowline/testing';
import { FleetApi } from '../demo/fleet-api.ts';
import { OperatorsApi } from '../e2e/operators-api.ts';
import { WORKSPACE } from '../test/run.ts';
import { PowerDisk } from './power-disk.ts';
import { hubVisitor } from './producer.ts';
import { standStill } from './stand-still.ts';
import { MACHINES, VICTIMS, type FleetApp, type Machine, type Victim } from './victims.ts';

const { privilegesOf } = createRequire(import.meta.url)(join(WORKSPACE, 'deploy/privileges.config.cjs')) as {
  privilegesOf(
    app: string,
    places: Record<'root' | 'config' | 'state' | 'run' | 'log', string>,
  ): { nodeArgs: string[] };
};

export const DEVICE_ID = 'demo';
export interface FleetOptions {
  /** Arguments of Node instead of the built app, for a negative control. */
  programs?: Partial<Record<FleetApp, string[]>>;
  /** Instead of the server and the three apps that most campaigns need. */
  apps?: readonly FleetApp[];
  /** Runs the executor with the limits of Node that a device gives it. */
  limits?: boolean;
  /** More of the gateway's configuration, for a server at this address. */
  gateway?(serverUrl: string): { link: object };
  /** More of the executor's configuration, for the fleet's folder. */
  executor?(folder: string): object;
  /** The collector's configuration instead of that of the campaigns, for the fleet's folder. */
  collector?(folder: string): object;
  /** More of the server's configuration. */
  server?: { keep?: object; link?: object };
  /** Gives each machine a disk of its own, whose power can be cut. */
  disks?: boolean;
}

/** Often enough that a kill meets a hand-over. */
const SAMPLE_EVERY_MS = 20;
const RESTART_AFTER_MS = 50;
const GIVE_UP_MS = 60_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The built apps as plain processes on one temporary folder; whoever ends by a signal is started anew, as pm2 would. */
export class TortureFleet {
  readonly folder: string;
  readonly hubFolder: string;
  readonly serverDir: string;
  /** Arguments of Node for each app. */
  readonly #programs: Record<FleetApp, string[]>;
  readonly #apps: readonly FleetApp[];
  readonly #children = new Map<FleetApp, ChildProcess>();
  readonly url: string;
  readonly #disks: Partial<Record<Machine, PowerDisk>> = {};
  /** Not to be started anew when they end. */
  readonly #held = new Set<FleetApp>();
  /** How often a process ended by itself, or was killed, and was started anew. */
  restarts = 0;
  #stopping = false;
  /** Whoever interrupts a campaign gets a machine without its processes and disks back. */
  readonly #onSignal = (): void => void this.end({ keepFolder: false }).finally(() => process.exit(130));

  static async start(options: FleetOptions = {}): Promise<TortureFleet> {
    const fleet = new TortureFleet(await freePort(), options);
    for (const signal of SIGNALS) process.once(signal, fleet.#onSignal);
    try {
      await fleet.#begin();
    } catch (error) {
      await fleet.end({ keepFolder: false });
      throw error;
    }
    return fleet;
  }

  private constructor(
    port: number,
    {
      programs,
      apps = VICTIMS,
      limits = false,
      gateway,
      executor,
      collector,
      server = {},
      disks = false,
    }: FleetOptions,
  ) {
    this.folder = mkdtempSync('/var/tmp/bl-torture-');
    this.hubFolder = join(this.folder, 'hub');
    this.serverDir = join(this.folder, 'server', 'state');
    for (const machine of Object.keys(MACHINES) as Machine[]) {
      mkdirSync(join(this.folder, machine));
      if (disks) this.#disks[machine] = new PowerDisk(join(this.folder, machine));
    }
    this.#apps = apps;
    this.url = `http://127.0.0.1:${port}`;
    const main = (app: string) => [join(WORKSPACE, 'apps', app, 'dist', 'main.js')];
    this.#programs = {
      'ws-gateway': main('ws-gateway'),
      'command-executor': [
        ...(limits ? this.#limitsOf('command-executor') : []),
        ...main('command-executor'),
      ],
      'telemetry-collector': main('telemetry-collector'),
      'fleet-server': main('fleet-server'),
      'ota-updater': main('ota-updater'),
      'ssh-broker': main('ssh-broker'),
      ...programs,
    };
    const common = (app: string) => ({
      stateDir: join(this.folder, 'device', app),
      hubFolder: this.hubFolder,
    });
    const gigabyte = 2 ** 30;
    const keep = { telemetryBytes: gigabyte, historyBytes: gigabyte, orders: 100_000, waitingOrders: 10_000 };
    const configs: Record<FleetApp, object> = {
      'fleet-server': {
        stateDir: this.serverDir,
        listen: { port },
        keep: { ...keep, ...server.keep },
        link: { attemptsBurst: 100_000, reconnectMinMs: 0, reconnectMaxMs: 100, ...server.link },
        // The campaign asks for each order again and again until all have ended.
        operators: { callsBurst: 1_000_000 },
        enrolment: { burst: 100_000 },
      },
      'ws-gateway': {
        ...common('ws-gateway'),
        enrolment: { server: this.url, tokenFile: join(this.folder, 'token') },
        link: { allowInsecure: true, backoffBaseMs: 50, backoffCapMs: 200, ...gateway?.(this.url).link },
      },
      'command-executor': { ...common('command-executor'), ...executor?.(this.folder) },
      'telemetry-collector': {
        ...common('telemetry-collector'),
        ...(collector?.(this.folder) ?? {
          logLevel: 'debug',
          series: { cpu: { intervalMs: SAMPLE_EVERY_MS } },
          telemetry: { commitMs: 0 },
        }),
      },
      'ota-updater': { ...common('ota-updater'), releasesDir: join(this.folder, 'releases') },
      'ssh-broker': { ...common('ssh-broker') },
    };
    mkdirSync(join(this.folder, 'logs'));
    for (const app of this.#apps) writeFileDurably(this.#file(app, 'json'), JSON.stringify(configs[app]));
  }

  get api(): OperatorsApi {
    return new OperatorsApi(this.url, this.token);
  }

  async isOnline(): Promise<boolean> {
    return new FleetApi(this.url, this.token).isOnline(DEVICE_ID);
  }

  /** Messages in the device's outbox, by the device's own word; infinitely many while it does not answer. */
  async waiting(): Promise<number> {
    return (await this.#lanes())?.reduce((sum, { messages }) => sum + messages, 0) ?? Infinity;
  }

  /** Messages that the server has receipted, by the device's own word. */
  async receipted(): Promise<number> {
    return (await this.#lanes())?.reduce((sum, { ledger }) => sum + ledger.receipted, 0) ?? 0;
  }

  async #lanes(): Promise<LaneStatus[] | undefined> {
    const hub = hubVisitor(this.hubFolder);
    try {
      await new Promise<void>((resolve) => hub.onRegistered(() => resolve()));
      return Object.values((await hub.request('status', {})).queue.lanes);
    } catch (error) {
      if (error instanceof TransientError) return undefined; // the gateway is not back yet
      throw error;
    } finally {
      hub.close();
    }
  }

  /** `kill -9`, at whatever instruction it is. @returns whether it was running. */
  kill(victim: FleetApp): boolean {
    return this.#children.get(victim)?.kill('SIGKILL') ?? false;
  }

  /**
   * The power of a machine goes: what its kernel had not yet made durable is gone, its processes with it. Then it boots.
   * Returns when its apps are started again.
   */
  async cutPower(machine: Machine): Promise<void> {
    const apps = MACHINES[machine];
    for (const app of apps) this.#held.add(app);
    const running = apps.map((app) => this.#children.get(app));
    await Promise.all(running.map((child) => standStill(child?.pid, () => child?.kill('SIGSTOP') ?? false)));
    this.#disks[machine]?.cut();
    await Promise.all(apps.map((app) => this.#end(app, 'SIGKILL')));
    await this.#disks[machine]?.boot();
    for (const app of apps) this.release(app);
  }

  /** Ends an app and keeps it down until {@link release}. */
  async hold(app: FleetApp): Promise<void> {
    this.#held.add(app);
    await this.#end(app, 'SIGKILL');
  }

  release(app: FleetApp): void {
    if (this.#held.delete(app)) this.#run(app);
  }

  /** All that was written until now is durable, by whatever means it was written. */
  sync(): void {
    for (const disk of Object.values(this.#disks)) disk.sync();
  }

  /** Ends an app orderly, for good. */
  async stop(app: FleetApp): Promise<void> {
    await this.#end(app, 'SIGTERM');
  }

  logOf(app: FleetApp): string {
    return this.#file(app, 'log');
  }

  /** Ends everything; the folder goes unless it is worth a look. */
  async end({ keepFolder }: { keepFolder: boolean }): Promise<void> {
    this.#stopping = true;
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
    await Promise.all(this.#apps.map((app) => this.#end(app, 'SIGKILL')));
    for (const disk of Object.values(this.#disks)) await disk.end();
    if (!keepFolder) rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #begin(): Promise<void> {
    this.#run('fleet-server');
    await until(() => new FleetApi(this.url, '').isHealthy(), 'the server');
    const token = await new FleetApi(this.url, this.token).enrolmentToken(DEVICE_ID);
    writeFileDurably(join(this.folder, 'token'), token);
    for (const app of this.#apps) if (app !== 'fleet-server') this.#run(app);
    await until(() => this.isOnline(), 'the device to be online');
  }

  /** Of an admin. */
  get token(): string {
    return readFileSync(join(this.serverDir, 'operator-token'), 'utf8').trim();
  }

  #run(app: FleetApp): void {
    const log = openSync(this.#file(app, 'log'), 'a');
    const child = spawn(process.execPath, [...this.#programs[app], '--config', this.#file(app, 'json')], {
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#children.set(app, child);
    child.once('exit', () => {
      if (this.#stopping || this.#children.get(app) !== child) return;
      this.restarts += 1;
      setTimeout(() => {
        if (!this.#stopping && this.#children.get(app) === child) this.#run(app);
      }, RESTART_AFTER_MS);
    });
  }

  async #end(app: FleetApp, signal: NodeJS.Signals): Promise<void> {
    const child = this.#children.get(app);
    this.#children.delete(app);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  /** As deploy/ecosystem.config.cjs has them, for the places of this fleet. */
  #limitsOf(app: Victim): string[] {
    const { folder } = this;
    const state = join(folder, 'device');
    return privilegesOf(app, { root: WORKSPACE, config: folder, state, run: folder, log: folder }).nodeArgs;
  }

  #file(app: FleetApp, kind: 'json' | 'log'): string {
    return join(this.folder, kind === 'log' ? 'logs' : '', `${app}.${kind}`);
  }
}

/** Looks again and again; a campaign that hangs is a finding, not a wait for ever. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  giveUpMs = GIVE_UP_MS,
): Promise<void> {
  const end = performance.now() + giveUpMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`gave up after ${giveUpMs} ms waiting for ${what}`);
    await sleep(20);
  }
}
