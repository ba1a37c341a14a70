import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openQueue } from '@bowline/durable-queue';
import { connectHub, type HubClient } from '@bowline/ipc';
import type { HubApp } from '@bowline/messages/hub/apps';
import { createLogger, systemClock } from '@bowline/runtime';
import { startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import type { FakeCloud } from '@bowline/testing/fake-cloud';

/** A state folder with a token in it, and the real gateway process on it, as often as a test starts it. */
export class GatewayUnderTest {
  readonly folder = temporaryFolder();
  readonly hubFolder = join(this.folder, 'hub');
  readonly #configFile = join(this.folder, 'config.json');
  process: TestProcess | undefined;

  constructor({ origin, token }: Pick<FakeCloud, 'origin' | 'token'>, change: Record<string, unknown> = {}) {
    const tokenFile = join(this.folder, 'token');
    writeFileSync(tokenFile, token);
    const config = {
      stateDir: join(this.folder, 'state'),
      hubFolder: this.hubFolder,
      logLevel: 'debug',
      enrolment: { server: origin, tokenFile },
      link: { allowInsecure: true, backoffBaseMs: 20, backoffCapMs: 100, welcomeDeadlineMs: 2000 },
      ...change,
    };
    writeFileSync(this.#configFile, JSON.stringify(config));
  }

  start(): TestProcess {
    const main = join(import.meta.dirname, '../main.ts');
    this.process = startProcess(process.execPath, [main, '--config', this.#configFile]);
    return this.process;
  }

  async kill(): Promise<void> {
    await this.process?.kill('SIGKILL');
  }

  /** As if so much were left of the time of what is on trial. The gateway must have ended. */
  async leaveOfTrial(leftMs: number): Promise<void> {
    const queue = await openQueue({ folder: join(this.folder, 'state/store'), wallMs: Date.now });
    const state = queue.config('state') as { step: { until: { monotonicMs: number } } };
    state.step.until.monotonicMs = Number(process.hrtime.bigint() / 1_000_000n) + leftMs;
    await queue.commit({ config: { state } });
    await queue.close();
  }

  /** An app of this device, registered with the hub. */
  async app(
    app: HubApp,
    orderTypes: 'command'[] = [],
    prepare: (client: HubClient) => void = () => undefined,
    idempotent?: string[],
  ): Promise<HubClient> {
    const client = connectHub({
      folder: this.hubFolder,
      app,
      version: '0',
      orderTypes,
      ...(idempotent === undefined ? {} : { idempotent: () => idempotent }),
      log: createLogger({ app, level: 'error' }),
      clock: systemClock,
    });
    prepare(client);
    await waitFor(() => client.connected, { what: `${app} to register` });
    return client;
  }
}
