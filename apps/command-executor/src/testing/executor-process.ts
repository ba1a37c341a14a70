import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { openTestGateway, type HandedOrder, type Report, type TestGateway } from './test-gateway.ts';

const MAIN = join(import.meta.dirname, '../main.ts');
const ENDS = ['succeeded', 'failed', 'cancelled', 'rejected', 'expired', 'indeterminate'];

/** The executor as a process with a gateway of the test, in a folder of its own. */
export class ExecutorProcess {
  readonly folder = temporaryFolder();
  readonly commandsFolder = join(this.folder, 'commands');
  readonly modulesFolder = join(this.folder, 'modules');
  #config: Record<string, unknown>;
  gateway: TestGateway | undefined;
  process: TestProcess | undefined;

  constructor(config: Record<string, unknown> = {}) {
    this.#config = config;
    mkdirSync(this.commandsFolder, { mode: 0o755 });
    mkdirSync(this.modulesFolder, { mode: 0o755 });
  }

  /** Of the next start. */
  configure(config: Record<string, unknown>): void {
    this.#config = { ...this.#config, ...config };
  }

  /** @param node further arguments of Node. */
  start(node: string[] = [], env: Record<string, string> = {}): TestProcess {
    const file = join(this.folder, 'config.json');
    const config = {
      stateDir: join(this.folder, 'state'),
      hubFolder: join(this.folder, 'hub'),
      policyFile: join(this.folder, 'policy.json'),
      trustAnchorFile: join(this.folder, 'trust-anchor.json'),
      commandsFolder: this.commandsFolder,
      modulesFolder: this.modulesFolder,
      // The test's own user: the folder above is for nobody else.
      programUser: 'root',
      lookEveryMs: 100,
      killGraceMs: 500,
      ...this.#config,
    };
    writeFileSync(file, JSON.stringify(config));
    this.process = startProcess(process.execPath, [...node, MAIN, '--config', file], {
      env: { PATH: process.env['PATH'], TMPDIR: this.folder, ...env },
    });
    return this.process;
  }

  async openGateway(options?: Parameters<typeof openTestGateway>[1]): Promise<TestGateway> {
    this.gateway = await openTestGateway(join(this.folder, 'hub'), options);
    return this.gateway;
  }

  policy(commands: Record<string, unknown>): void {
    writeFileSync(join(this.folder, 'policy.json'), JSON.stringify({ commands }), { mode: 0o600 });
  }

  /** Puts a plug-in there whose program is a script of the shell. */
  plugIn(name: string, script: string, manifest: Record<string, unknown> = {}): string {
    const folder = join(this.commandsFolder, name);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    writeFileSync(join(folder, 'run'), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, 'run'), 0o755);
    const whole = { name, description: name, idempotent: false, params: { type: 'object' }, ...manifest };
    writeFileSync(join(folder, 'command.json'), JSON.stringify(whole));
    return folder;
  }

  order(name: string, params: Record<string, unknown> = {}, fields: Partial<HandedOrder> = {}): HandedOrder {
    return {
      orderId: uuidv7(),
      type: 'command',
      payload: { name, params },
      state: 'received',
      attempt: 0,
      receivedAt: Date.now(),
      ...fields,
    };
  }

  async hand(order: HandedOrder): Promise<HandedOrder> {
    await this.gateway?.hand(order);
    return order;
  }

  /** Hands an order over and waits for its end. */
  async outcome(order: HandedOrder): Promise<Report> {
    await this.hand(order);
    return this.ended(order);
  }

  ended({ orderId }: Pick<HandedOrder, 'orderId'>): Promise<Report> {
    return waitFor(
      () => this.gateway?.reports.find((each) => each.orderId === orderId && ENDS.includes(each.status)),
      { what: `the end of ${orderId}` },
    );
  }

  async end(): Promise<void> {
    await this.process?.kill();
    await this.gateway?.close();
  }
}
