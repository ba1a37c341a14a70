import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { serveConfig, type HubClient } from '@bowline/ipc';
import type { HubApp } from '@bowline/messages/hub/apps';
import { LiveConfig } from '@bowline/runtime';
import type { GatewayUnderTest } from './gateway.ts';

interface Paced {
  stateDir: string;
  pace: number;
  slow: number;
}

/** `pace` is at most 100, `slow` needs a restart, `stateDir` is the device's alone. */
const validate = Object.assign(
  (value: unknown) => {
    const config = value as Partial<Paced>;
    config.pace ??= 1;
    config.slow ??= 1;
    const bad = config.pace > 100;
    validate.errors = bad
      ? [{ instancePath: '/pace', message: 'must be <= 100', keyword: '', schemaPath: '', params: {} }]
      : [];
    return !bad;
  },
  {
    errors: [] as {
      instancePath: string;
      message: string;
      keyword: string;
      schemaPath: string;
      params: object;
    }[],
    schema: { properties: { stateDir: { localOnly: true }, pace: {}, slow: { restart: true } } },
  },
);

/** What an app is configured to that has this state folder. */
export const pacedConfig = (app: string, stateDir: string): LiveConfig<Paced> =>
  new LiveConfig(validate, { app, args: [`--state-dir=${stateDir}`], env: {} });

/** An app of the device that the cloud may configure, in this process; it can be ended and started like a real one. */
export class ConfiguredApp {
  readonly #gateway: GatewayUnderTest;
  readonly #app: HubApp;
  readonly #stateDir: string;
  readonly restarts: string[] = [];
  /** Each pace that it was brought to. */
  readonly paces: number[] = [];
  live: LiveConfig<Paced>;
  client: HubClient | undefined;
  /** Takes note of this request, and never answers. */
  hangsIn: 'validateConfig' | 'applyConfig' | undefined;

  constructor(gateway: GatewayUnderTest, app: HubApp) {
    this.#gateway = gateway;
    this.#app = app;
    this.#stateDir = mkdtempSync(join(gateway.folder, `${app}-`));
    this.live = this.#load();
  }

  get pace(): number {
    return this.live.current.pace;
  }

  async start(): Promise<this> {
    this.live = this.#load();
    this.live.onChange(({ pace }) => void this.paces.push(pace));
    this.client = await this.#gateway.app(this.#app, [], (client) => {
      serveConfig(client, this.live, (reason) => void this.restarts.push(reason));
      if (this.hangsIn !== undefined) client.handle(this.hangsIn, () => new Promise(() => undefined));
    });
    return this;
  }

  stop(): void {
    this.client?.close();
  }

  /** What it would start with. */
  get onDisk(): number {
    return this.#load().current.pace;
  }

  #load(): LiveConfig<Paced> {
    return pacedConfig(this.#app, this.#stateDir);
  }
}
