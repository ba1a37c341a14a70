import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isAlive } from '@bowline/pm2';
import { isRunning, startProcess, waitFor, type TestProcess } from '@bowline/testing';
import { UpdateDevice } from './update-device.ts';

const CHECKOUT = resolve(import.meta.dirname, '../../../..');

/**
 * A device whose Bowline is two processes under a real pm2 that the real launcher starts: the updater, and one in the place of
 * the gateway, whose hub the test has. What a system unit does is done here: the launcher is started anew whatever it ends with.
 */
export class SelfDevice {
  readonly device: UpdateDevice;
  #isOn = true;
  #launcher: TestProcess | undefined;
  #unit: Promise<void> = Promise.resolve();

  private constructor(device: UpdateDevice) {
    this.device = device;
  }

  static async open(): Promise<SelfDevice> {
    const device = await UpdateDevice.open({ kinds: ['self'] });
    // Here pm2 is the launcher's.
    await device.pm2.kill();
    const self = new SelfDevice(device);
    cpSync(join(CHECKOUT, 'deploy/launcher/launch'), join(device.folder, 'launch'));
    const factory = join(device.folder, 'factory');
    for (const [path, content] of Object.entries(self.#tree('factory'))) {
      mkdirSync(dirname(join(factory, path)), { recursive: true });
      writeFileSync(join(factory, path), content);
    }
    symlinkSync(process.execPath, join(factory, 'runtime'));
    self.#unit = self.#run();
    return self;
  }

  /** A release of Bowline whose probe is good or bad. */
  release(version: string, probe: string, more: Record<string, string> = {}): void {
    const files = { ...this.#tree(version), probe, ...more };
    const manifest = { kind: 'self', probe: { command: ['probe'] } };
    this.device.release('bowline', version, { filesOnly: true, files, manifest });
  }

  /** Version of the slot from which the updater of this moment was started; undefined while there is none. */
  async running(): Promise<string | undefined> {
    const { pm2 } = this.device;
    if (!(await pm2.isRunning())) return undefined;
    const entry = (await pm2.list().catch(() => [])).find(({ name }) => name === 'ota-updater');
    if (entry === undefined || !isAlive(entry.pid)) return undefined;
    const [, main = ''] = readFileSync(`/proc/${entry.pid}/cmdline`, 'utf8').split('\0');
    return readFileSync(join(dirname(main), '../../..', 'version.txt'), 'utf8');
  }

  /** Version to which `current` leads; undefined: the factory's code. */
  current(): string | undefined {
    const link = join(this.device.folder, 'releases/bowline/current');
    return existsSync(link)
      ? readFileSync(join(dirname(link), readlinkSync(link), 'version.txt'), 'utf8')
      : undefined;
  }

  async close(): Promise<void> {
    this.#isOn = false;
    await this.#launcher?.kill('SIGKILL');
    await this.#unit;
    await this.device.close();
  }

  async #run(): Promise<void> {
    while (this.#isOn) {
      const launcher = startProcess('sh', [join(this.device.folder, 'launch')], {
        group: true,
        env: {
          PATH: process.env['PATH'],
          HOME: process.env['HOME'],
          PM2_HOME: this.device.pm2.home,
          PM2_DISABLE_VERSION_CHECK: 'true',
          BOWLINE_SLOTS: join(this.device.folder, 'releases/bowline'),
          BOWLINE_FACTORY: join(this.device.folder, 'factory'),
        },
      });
      this.#launcher = launcher;
      await waitFor(() => !isRunning(launcher.pid), {
        timeoutMs: 3_600_000,
        what: 'the end of the launcher',
      });
      await launcher.kill('SIGKILL');
    }
  }

  #tree(version: string): Record<string, string> {
    const { program, args, env } = this.device.command();
    const app = (name: string, more: object) => ({
      name,
      // It is killed again and again: with a back-off the test would wait for that.
      restart_delay: 20,
      max_restarts: Number.MAX_SAFE_INTEGER,
      pmx: false,
      vizion: false,
      kill_timeout: 5000,
      ...more,
    });
    const apps = [
      app('ws-gateway', {}),
      app('ota-updater', { args, env: { ...env, TEST_APPS: 'ws-gateway', HOME: process.env['HOME'] } }),
    ];
    const ecosystem = `
      const apps = ${JSON.stringify(apps)};
      for (const app of apps) {
        app.script = require('node:path').join(__dirname, '..', 'apps', app.name, 'dist', 'main.js');
        app.interpreter = process.env.BOWLINE_RUNTIME;
        app.cwd = '/';
      }
      module.exports = { apps };`;
    const pm2 = join(CHECKOUT, 'node_modules/pm2/bin/pm2-runtime');
    return {
      'version.txt': version,
      'deploy/ecosystem.config.cjs': ecosystem,
      'deploy/data-formats.json': '{ "store": { "reads": 2, "writes": 2 } }',
      'node_modules/pm2/bin/pm2-runtime': `require(${JSON.stringify(pm2)});`,
      // A unit would end it with its pm2.
      'apps/ws-gateway/dist/main.js': `setInterval(() => {}, 1e6); process.on('disconnect', () => process.exit());`,
      'apps/ota-updater/dist/main.js': `import(${JSON.stringify(program)});`,
    };
  }
}
