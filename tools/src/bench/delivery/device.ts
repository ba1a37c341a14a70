import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { connectHub, type HubClient } from '@bowline/ipc';
import type { DeviceStatus } from '@bowline/messages/hub';
import { createLogger, systemClock } from '@bowline/runtime';
import { waitFor } from '@bowline/testing';
import { WORKSPACE } from '../../test/run.ts';
import { folderIn, workerSeed, type BenchContext } from '../context.ts';
import type { BenchProcess } from '../processes.ts';

/** Ends a run that hangs; says nothing about speed. */
const GIVE_UP_MS = 600_000;

const { privilegesOf } = createRequire(import.meta.url)(join(WORKSPACE, 'deploy/privileges.config.cjs')) as {
  privilegesOf(
    app: string,
    places: Record<'root' | 'config' | 'state' | 'run' | 'log', string>,
  ): { nodeArgs: string[] };
};
/** As deploy/ecosystem.config.cjs starts an app; the folders of a device all lie in one. */
export const nodeArgsOf = (app: string, folder: string): string[] => [
  '--max-semi-space-size=4',
  '--enable-source-maps',
  ...privilegesOf(app, { root: WORKSPACE, config: folder, state: folder, run: folder, log: folder }).nodeArgs,
];
const env = { ...process.env, MALLOC_ARENA_MAX: '1' };

export const mainOf = (app: string): string => join(WORKSPACE, 'apps', app, 'dist', 'main.js');

/** One device: the built apps as real processes, their state in a folder of its own. */
export class BenchDevice {
  readonly folder: string;
  readonly hubFolder: string;
  readonly #context: BenchContext;
  readonly #name: string;
  #gateway: BenchProcess | undefined;
  #hub: HubClient | undefined;

  constructor(context: BenchContext, name: string) {
    this.#context = context;
    this.#name = name;
    this.folder = folderIn(context, name);
    this.hubFolder = join(this.folder, 'hub');
  }

  get gateway(): BenchProcess {
    if (this.#gateway === undefined) throw new Error('the gateway was not started');
    return this.#gateway;
  }

  /** @param change of the configuration. @param more arguments of Node and variables of the environment. */
  async startGateway(
    change: Record<string, unknown> = {},
    more: { nodeArgs?: readonly string[]; env?: NodeJS.ProcessEnv } = {},
  ): Promise<void> {
    const config = join(this.folder, 'ws-gateway.json');
    const settings = {
      stateDir: join(this.folder, 'ws-gateway'),
      hubFolder: this.hubFolder,
      logLevel: 'warn',
    };
    writeFileSync(config, JSON.stringify({ ...settings, ...change }));
    this.#gateway = await this.#context.processes.node(`${this.#name}-gateway`, mainOf('ws-gateway'), {
      nodeArgs: [...nodeArgsOf('ws-gateway', this.folder), ...(more.nodeArgs ?? [])],
      args: ['--config', config],
      env: { ...env, ...more.env },
    });
    const hub = connectHub({
      folder: this.hubFolder,
      app: 'cli',
      version: '0',
      orderTypes: [],
      log: createLogger({ app: 'bench', level: 'error' }),
      clock: systemClock,
    });
    this.#hub = hub;
    await new Promise<void>((resolve) => hub.onRegistered(() => resolve()));
  }

  /** The gateway's configuration for a server: where to enrol, and no long back-off. */
  linkTo(origin: string, token: string): Record<string, unknown> {
    // Where the gateway may erase it.
    const tokenFile = join(folderIn(this.#context, join(this.#name, 'ws-gateway')), 'token');
    writeFileSync(tokenFile, token, { mode: 0o600 });
    return {
      enrolment: { server: origin, tokenFile },
      link: { allowInsecure: true, backoffBaseMs: 50, backoffCapMs: 200 },
    };
  }

  /** The process that hands messages over, connected to the hub. */
  async startApp(): Promise<BenchProcess> {
    const script = join(import.meta.dirname, 'app-worker.ts');
    const app = await this.#context.processes.node(`${this.#name}-app`, script);
    await app.call('connect', { hubFolder: this.hubFolder, seed: workerSeed(this.#context.random) });
    return app;
  }

  async startExecutor(): Promise<void> {
    const policyFile = join(this.folder, 'policy.json');
    const config = join(this.folder, 'command-executor.json');
    const stateDir = join(this.folder, 'command-executor');
    writeFileSync(policyFile, JSON.stringify({ commands: { allow: { ping: {} } } }));
    writeFileSync(
      config,
      JSON.stringify({ stateDir, hubFolder: this.hubFolder, policyFile, logLevel: 'warn' }),
    );
    await this.#context.processes.node(`${this.#name}-executor`, mainOf('command-executor'), {
      nodeArgs: nodeArgsOf('command-executor', this.folder),
      args: ['--config', config],
      env,
    });
  }

  async status(): Promise<DeviceStatus> {
    if (this.#hub === undefined) throw new Error('the gateway was not started');
    return this.#hub.request('status', {});
  }

  async waitingMessages(): Promise<number> {
    const { lanes } = (await this.status()).queue;
    return Object.values(lanes).reduce((sum, { messages }) => sum + messages, 0);
  }

  async untilOnline(): Promise<void> {
    const online = async () => (await this.status()).link.state === 'online';
    await waitFor(online, { what: 'the link', everyMs: 2, timeoutMs: GIVE_UP_MS });
  }

  /** Everything is receipted by the server and deleted here. @param look is called at every look, ten milliseconds apart. */
  async untilEmpty(look: () => void = () => {}): Promise<void> {
    const empty = async () => {
      look();
      return (await this.waitingMessages()) === 0;
    };
    await waitFor(empty, { what: 'the outbox to be empty', everyMs: 10, timeoutMs: GIVE_UP_MS });
  }

  async endGateway(): Promise<void> {
    this.#hub?.close();
    this.#hub = undefined;
    await this.#gateway?.end();
  }
}
