import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectHub, type HubClient } from '@bowline/ipc';
import { callerEnvironment, DEVICE_APPS, Pm2 } from '@bowline/pm2';
import { createLogger, systemClock } from '@bowline/runtime';
import {
  afterThisFile,
  freePort,
  startProcess,
  temporaryFolder,
  waitFor,
  type TestProcess,
} from '@bowline/testing';
import { makeFolders, writeDeviceConfig, writeServerConfig } from '../demo/device-config.ts';
import { endRun } from '../demo/end-run.ts';
import { FleetApi } from '../demo/fleet-api.ts';
import {
  DEMO_GROUP,
  DEVICE_ID,
  demoLayout,
  deviceIn,
  makePrivateFolder,
  type DemoLayout,
} from '../demo/layout.ts';
import { markOf } from '../demo/marked-processes.ts';
import { pinnedRuntime } from '../demo/preflight.ts';
import { writeRunFile } from '../demo/run-file.ts';
import { WORKSPACE } from '../test/run.ts';
import { OperatorsApi } from './operators-api.ts';

/** Quick where the defaults spare a real network and a real flash, so that a test sees much in little time. */
const DEVICE_SETTINGS = {
  BOWLINE_WS_GATEWAY__LINK__BACKOFF_BASE_MS: '100',
  BOWLINE_WS_GATEWAY__LINK__BACKOFF_CAP_MS: '1000',
  BOWLINE_TELEMETRY_COLLECTOR__TELEMETRY__COMMIT_MS: '200',
  BOWLINE_TELEMETRY_COLLECTOR__SERIES__CPU__INTERVAL_MS: '250',
};

/** What a device may do in a row: a quick machine does more than a real device, which waits in between. */
const SERVER_SETTINGS = {
  BOWLINE_FLEET_SERVER__LINK__ATTEMPTS_BURST: '1000',
  BOWLINE_FLEET_SERVER__TUNNELS__ATTEMPTS_BURST: '1000',
};

/**
 * The built apps as they run in the demo, in a folder of their own: the device's five under pm2 by the real ecosystem file,
 * the server as a process that the test may kill.
 */
export class TestFleet {
  readonly layout: DemoLayout;
  readonly pm2: Pm2;
  readonly #port: number;
  #server: TestProcess | undefined;
  #hub: HubClient | undefined;

  static async make(): Promise<TestFleet> {
    return new TestFleet(await freePort());
  }

  private constructor(port: number) {
    this.#port = port;
    const checkout = join(temporaryFolder());
    for (const part of ['apps', 'deploy', 'node_modules', 'package.json']) {
      symlinkSync(join(WORKSPACE, part), join(checkout, part));
    }
    this.layout = demoLayout(checkout, {});
    makeFolders(this.layout);
    for (const folder of [this.layout.runDir, this.layout.hubFolder, this.layout.pm2Home])
      makePrivateFolder(folder);
    symlinkSync(pinnedRuntime(WORKSPACE), this.layout.runtime);
    const env = {
      ...DEVICE_SETTINGS,
      ...markOf(this.layout.runDir),
      // The apps may read their own files there, and nothing through the link to them.
      BOWLINE_ROOT: WORKSPACE,
      BOWLINE_RUNTIME: this.layout.runtime,
      BOWLINE_CONFIG_DIR: this.layout.configDir,
      BOWLINE_STATE_DIR: this.layout.stateDir,
      BOWLINE_RUN_DIR: this.layout.runDir,
      BOWLINE_LOG_DIR: this.layout.logDir,
      BOWLINE_SINGLE_USER: '1',
    };
    this.pm2 = new Pm2({ home: this.layout.pm2Home, env: callerEnvironment(process.env, env) });
    afterThisFile(() => this.end());
  }

  get api(): OperatorsApi {
    return new OperatorsApi(this.#url, this.#token);
  }

  /** By which `bowline fleet` finds the server. */
  get operatorEnv(): { BOWLINE_SERVER: string; BOWLINE_TOKEN: string } {
    return { BOWLINE_SERVER: this.#url, BOWLINE_TOKEN: this.#token };
  }

  /** The console's address, as `npm start` prints it. */
  get consoleUrl(): string {
    return `${this.#url}/#token=${this.#token}`;
  }

  /** The hub as a program on the device reaches it. */
  get hub(): HubClient {
    this.#hub ??= connectHub({
      folder: this.layout.hubFolder,
      app: 'cli',
      version: '0.1.0',
      orderTypes: [],
      log: createLogger({ app: 'cli', level: 'error' }),
      clock: systemClock,
    });
    return this.#hub;
  }

  /** @param env settings beside the demo's. */
  async startServer(env: Record<string, string> = {}): Promise<void> {
    const config = join(this.layout.configDir, 'fleet-server.json');
    writeServerConfig(this.layout, this.#port, join(this.layout.runDir, 'server.json'));
    const main = join(WORKSPACE, 'apps/fleet-server/dist/main.js');
    this.#server = startProcess(process.execPath, [main, '--config', config], {
      env: { ...process.env, ...SERVER_SETTINGS, ...env },
    });
    await waitFor(() => new FleetApi(this.#url, '').isHealthy(), { what: 'the server' });
  }

  get serverPid(): number {
    return this.#server?.pid ?? 0;
  }

  async killServer(): Promise<void> {
    await this.#server?.kill('SIGKILL');
    this.#server = undefined;
  }

  /** A one-time token for the device, as an operator makes it; `bowline --home HOME_OF_THE_LAYOUT` finds the device. */
  async prepareDevice(): Promise<void> {
    const fleet = new FleetApi(this.#url, this.#token);
    await writeDeviceConfig(this.layout, this.#url, await fleet.enrolmentToken(DEVICE_ID, [DEMO_GROUP]));
    writeRunFile(this.layout.runFile, deviceIn(this.layout));
  }

  /** Changes what an app is configured with, before it starts. */
  configure(app: string, change: (before: Record<string, object>) => object): void {
    const file = join(this.layout.configDir, `${app}.json`);
    const before = JSON.parse(readFileSync(file, 'utf8')) as Record<string, object>;
    writeFileSync(file, JSON.stringify({ ...before, ...change(before) }), { mode: 0o600 });
  }

  /** Returns when pm2 has heard from each app that it is ready. */
  async startDevice(): Promise<void> {
    await this.pm2.start(join(WORKSPACE, 'deploy/ecosystem.config.cjs'), DEVICE_APPS);
  }

  async untilOnline(): Promise<void> {
    await waitFor(async () => (await this.api.device(DEVICE_ID)).online, { what: 'the device to be online' });
  }

  /** Pid of each app by its name; 0 while it does not run. */
  async pids(): Promise<Record<string, number>> {
    const apps = (await this.pm2.list()).filter(({ name }) =>
      (DEVICE_APPS as readonly string[]).includes(name),
    );
    return Object.fromEntries(apps.map(({ name, pid, status }) => [name, status === 'online' ? pid : 0]));
  }

  /** What an app has logged so far. */
  log(app: string): string {
    return readFileSync(join(this.layout.logDir, `${app}.log`), 'utf8');
  }

  async end(): Promise<void> {
    this.#hub?.close();
    await this.killServer();
    await endRun(this.layout);
  }

  get #token(): string {
    return readFileSync(join(this.layout.serverDir, 'operator-token'), 'utf8').trim();
  }

  get #url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }
}
