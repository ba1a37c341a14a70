import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FleetApi } from '../../demo/fleet-api.ts';
import { folderIn, type BenchContext } from '../context.ts';
import type { BenchProcess } from '../processes.ts';
import { mainOf, nodeArgsOf } from './device.ts';

/**
 * Set apart from the defaults: no pace for the backlog, since its speed is what is measured, and a window that a receipt
 * every 100 ms does not narrow below what a device can send.
 */
export const SERVER_LIMITS = {
  replayPerSecond: 1_000_000,
  inflightMessages: 32_768,
  inflightBytes: 16 * 2 ** 20,
};

/** The real server on a loopback port, as `npm start` starts it. */
export class BenchServer {
  readonly #context: BenchContext;
  readonly #folder: string;
  readonly #port: number;
  #process: BenchProcess | undefined;

  /** @param port 0: any; a server that is to come back has one of its own. */
  constructor(context: BenchContext, name: string, port: number) {
    this.#context = context;
    this.#folder = folderIn(context, name);
    this.#port = port;
  }

  async start(): Promise<void> {
    const config = join(this.#folder, 'fleet-server.json');
    const stateDir = join(this.#folder, 'state');
    const listen = { host: '127.0.0.1', port: this.#port };
    const infoFile = join(this.#folder, 'info.json');
    writeFileSync(
      config,
      JSON.stringify({ stateDir, listen, infoFile, logLevel: 'warn', link: SERVER_LIMITS }),
    );
    const args = ['--config', config];
    this.#process = await this.#context.processes.node('fleet-server', mainOf('fleet-server'), {
      nodeArgs: nodeArgsOf('fleet-server', this.#folder),
      args,
    });
  }

  get origin(): string {
    return this.#info.url;
  }

  enrolmentToken(): Promise<string> {
    const operatorToken = readFileSync(this.#info.operatorTokenFile, 'utf8').trim();
    return new FleetApi(this.origin, operatorToken).enrolmentToken('bench-device');
  }

  async end(): Promise<void> {
    await this.#process?.end();
  }

  get #info(): { url: string; operatorTokenFile: string } {
    return JSON.parse(readFileSync(join(this.#folder, 'info.json'), 'utf8')) as {
      url: string;
      operatorTokenFile: string;
    };
  }
}
