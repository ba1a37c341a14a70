import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { WORKSPACE } from '../test/run.ts';
import { OperatorsApi } from './operators-api.ts';

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** fleet-server as it is shipped, without pm2, as often as a test starts it, always on one port. */
export class PlainServer {
  readonly folder = temporaryFolder();
  readonly #config: Record<string, unknown>;
  readonly #caFile: string | undefined;
  readonly #port: number;
  #process: TestProcess | undefined;
  url = '';

  /** @param caFile the authority of its certificate, for the command line. */
  private constructor(config: Record<string, unknown>, port: number, caFile: string | undefined) {
    this.#config = config;
    this.#port = port;
    this.#caFile = caFile;
  }

  static async start(
    config: Record<string, unknown> = {},
    { caFile }: { caFile?: string } = {},
  ): Promise<PlainServer> {
    const server = new PlainServer(config, await freePort(), caFile);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    const [infoFile, configFile] = [join(this.folder, 'info.json'), join(this.folder, 'config.json')];
    const common = { stateDir: join(this.folder, 'state'), port: this.#port, infoFile };
    writeFileSync(configFile, JSON.stringify({ ...common, ...this.#config }));
    const main = join(WORKSPACE, 'apps/fleet-server/dist/main.js');
    this.#process = startProcess(process.execPath, [main, '--config', configFile]);
    await this.#process.output(/"message":"listening"/);
    await waitFor(() => existsSync(infoFile));
    this.url = (JSON.parse(readFileSync(infoFile, 'utf8')) as { url: string }).url;
  }

  async kill(): Promise<void> {
    await this.#process?.kill('SIGKILL');
  }

  get api(): OperatorsApi {
    return new OperatorsApi(this.url, this.operatorToken);
  }

  get operatorToken(): string {
    return readFileSync(join(this.folder, 'state/operator-token'), 'utf8').trim();
  }

  /** `bowline fleet …`, as an operator types it. */
  fleet(...args: string[]): Promise<Ended> {
    const known = join(this.folder, 'known-devices.json');
    const where = {
      BOWLINE_SERVER: this.url,
      BOWLINE_TOKEN: this.operatorToken,
      BOWLINE_KNOWN_DEVICES: known,
    };
    const trust = this.#caFile === undefined ? {} : { NODE_EXTRA_CA_CERTS: this.#caFile };
    return bowline(['fleet', ...args], { ...where, ...trust });
  }

  /** A new enrolment token, by the command line. */
  async token(...options: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.fleet('tokens', 'create', ...options);
    if (code !== 0) throw new Error(stderr);
    return stdout.trim();
  }
}

/** The command line as it is shipped. */
export async function bowline(args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const main = join(WORKSPACE, 'apps/cli/dist/main.js');
  const { PATH = '', HOME = '' } = process.env;
  const child = startProcess(process.execPath, [main, ...args], {
    cwd: '/',
    env: { PATH, HOME, NO_COLOR: '1', ...env },
  });
  const { code } = await child.exited;
  return { code, stdout: child.stdout(), stderr: child.stderr() };
}
