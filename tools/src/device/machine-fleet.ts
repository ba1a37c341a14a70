import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { DEVICE_APPS } from '@bowline/pm2';
import { startProcess, temporaryFolder, waitFor } from '@bowline/testing';
import { Machine } from './machine.ts';

const CHECKOUT = resolve(import.meta.dirname, '../../..');
/** The one that the outbound rules let the gateway reach. */
const SERVER = 'http://127.0.0.1:443';
export const DEVICE_ID = 'kiosk-1';

/** A machine that is enrolled, a server on its network with a repository of releases, and an operator with his key `ops`. */
export class MachineFleet {
  readonly machine: Machine;
  readonly #folder = temporaryFolder();
  #token = '';

  private constructor(machine: Machine) {
    this.machine = machine;
    mkdirSync(join(this.#folder, 'home'));
  }

  /** @param updater what the configuration of the ota-updater has beside its defaults. */
  static async start(updater: object): Promise<MachineFleet> {
    const fleet = new MachineFleet(await Machine.install());
    const { machine } = fleet;
    await machine.boot();
    await fleet.#startServer();
    const configure = async (app: string, more: object) => {
      const file = `/etc/bowline/${app}.json`;
      await machine.writeJson(file, { ...(await machine.readJson(file)), ...more });
    };
    await configure('ws-gateway', { link: { allowInsecure: true, backoffCapMs: 1000 } });
    await configure('ota-updater', {
      supply: { mirrors: [`${SERVER}/releases/`], allowInsecure: true },
      ...updater,
    });
    await machine.writeJson('/etc/bowline/policy.json', {
      updates: { channels: ['stable'], kinds: ['app', 'self'] },
    });
    await machine.shell('systemctl restart bowline');
    await fleet.untilReady();
    const made = await fleet.operator('fleet', 'tokens', 'create', '--device', DEVICE_ID, '--json');
    const { token } = JSON.parse(made) as { token: string };
    await machine.bowline('enroll', '--server', SERVER, '--token', token);
    return fleet;
  }

  /** A repository of releases, known to the device by its trust bundle. */
  async makeRepository(): Promise<void> {
    const rootKey = join(this.#folder, 'state', 'root-key.pem');
    const root = join(this.repository, 'metadata', '1.root.json');
    await this.operator('keys', 'new', 'ops');
    await this.operator('release', 'init', this.repository, '--key', 'ops', '--sign', 'ops');
    await this.operator('release', 'publish', this.repository, '--sign', 'ops');
    await this.operator('fleet', 'trust', 'set-release-root', root);
    await this.operator('fleet', 'trust', 'add-key', 'update', 'ops', '--sign', rootKey);
    await this.operator('fleet', 'trust', 'publish', 'trust-draft.json');
  }

  get repository(): string {
    return join(this.#folder, 'releases');
  }

  /** Builds and publishes a release from a tree, of Bowline itself if nothing else is said. */
  async release(
    tree: string,
    version: string,
    { name, kind } = { name: 'bowline', kind: 'self' },
  ): Promise<void> {
    const named = ['--name', name, '--kind', kind, '--release', version];
    await this.operator('release', 'build', tree, '--repo', this.repository, ...named, '--sign', 'ops');
    await this.operator('release', 'publish', this.repository, '--sign', 'ops');
  }

  /** An update module of the device, which its policy allows. */
  async putModule(type: string, script: string): Promise<void> {
    const folder = '/usr/share/mender/modules/v3';
    await this.machine.shell(`mkdir -p ${folder}`);
    await this.machine.run(
      'sh',
      '-c',
      'printf %s "$1" > "$2"; chmod 755 "$2"',
      'sh',
      script,
      `${folder}/${type}`,
    );
    await this.machine.writeJson('/etc/bowline/policy.json', {
      updates: { channels: ['stable'], kinds: ['app', 'self', `module:${type}`] },
    });
  }

  /** Settings of the launcher, from its next start on. */
  async setLauncher(settings: Record<string, number>): Promise<void> {
    const lines = Object.entries(settings).map(([name, value]) => `Environment=${name}=${value}`);
    const folder = '/etc/systemd/system/bowline.service.d';
    await this.machine.shell(`mkdir -p ${folder}`);
    const text = `[Service]\n${lines.join('\n')}\n`;
    await this.machine.run('sh', '-c', 'printf %s "$1" > "$2"', 'sh', text, `${folder}/launcher.conf`);
    await this.machine.shell('systemctl daemon-reload');
  }

  /** Runs `bowline` as the operator does, on the machine's network. */
  async operator(...args: string[]): Promise<string> {
    const cli = [process.execPath, join(CHECKOUT, 'apps/cli/dist/main.js'), ...args];
    const home = join(this.#folder, 'home');
    const { stdout } = await promisify(execFile)('nsenter', ['-t', String(this.machine.pid), '-n', ...cli], {
      cwd: home,
      env: { PATH: process.env['PATH'], HOME: home, BOWLINE_SERVER: SERVER, BOWLINE_TOKEN: this.#token },
    }).catch((error: { stdout: string; stderr: string }) => {
      throw new Error(error.stdout + error.stderr);
    });
    return stdout;
  }

  /** What the operators' API answers. */
  async ask(path: string): Promise<string> {
    const script = `fetch('${SERVER}${path}', { headers: { authorization: 'Bearer ${this.#token}' } })
      .then((response) => response.text()).then(console.log)`;
    const node = ['-t', String(this.machine.pid), '-n', process.execPath, '-e', script];
    return (await promisify(execFile)('nsenter', node)).stdout;
  }

  untilReady() {
    return waitFor(
      async () => {
        const status = await this.machine.bowline('status').catch(() => '');
        return DEVICE_APPS.every((app) => new RegExp(`^${app} +online`, 'm').test(status));
      },
      { what: 'the apps to be ready', everyMs: 200, timeoutMs: 60_000 },
    );
  }

  /** Outside the machine, on its network; whatever befalls the machine, it goes on. */
  async #startServer(): Promise<void> {
    const config = join(this.#folder, 'fleet-server.json');
    const infoFile = join(this.#folder, 'info.json');
    const listen = { host: '127.0.0.1', port: 443 };
    const stateDir = join(this.#folder, 'state');
    writeFileSync(config, JSON.stringify({ stateDir, listen, infoFile, releasesDir: this.repository }));
    rmSync(infoFile, { force: true });
    const main = join(CHECKOUT, 'apps/fleet-server/dist/main.js');
    startProcess('nsenter', [
      '-t',
      String(this.machine.pid),
      '-n',
      process.execPath,
      main,
      '--config',
      config,
    ]);
    await waitFor(() => existsSync(infoFile), { what: 'the server to listen' });
    const { operatorTokenFile } = JSON.parse(readFileSync(infoFile, 'utf8')) as { operatorTokenFile: string };
    this.#token = readFileSync(operatorTokenFile, 'utf8').trim();
  }
}
