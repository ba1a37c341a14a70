import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { DEVICE_APPS } from '@bowline/pm2';
import { needs, startProcess, temporaryFolder } from '@bowline/testing';

const CHECKOUT = resolve(import.meta.dirname, '../../..');

/** Whether this machine has what a {@link DeviceRoot} needs: root's right to make namespaces, and the programs. */
export const canInstallDevice = (): boolean =>
  needs('iproute2') &&
  needs('systemd') &&
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['--mount', '--pid', '--net', '--fork', 'true']).status === 0;

/**
 * A device in a copy-on-write view of this machine: real users, real paths (/etc/bowline, /var/lib/bowline, /run/bowline,
 * /opt/bowline), a network of its own with nothing but loopback. The machine itself sees none of it.
 */
export class DeviceRoot {
  /** Waits in the namespaces that hold it. */
  readonly pid: number;
  /** Where its root is, seen from those namespaces before any chroot. */
  protected readonly folder: string;

  protected constructor(pid: number, folder: string) {
    this.pid = pid;
    this.folder = folder;
  }

  static async install(): Promise<DeviceRoot> {
    const { pid, folder } = await installRoot();
    return new DeviceRoot(pid, folder);
  }

  /** Arguments of `nsenter` that lead into the device. */
  protected get enter(): string[] {
    return ['-t', String(this.pid), '-m', '-p', '-n', '-r', '-w'];
  }

  /** Runs a program in the device as root and gives what it wrote. */
  async run(command: string, ...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)('nsenter', [...this.enter, command, ...args], {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' },
      maxBuffer: 16 * 2 ** 20,
    });
    return stdout;
  }

  shell(script: string): Promise<string> {
    return this.run('sh', '-ec', script);
  }

  /** pm2's command line, as the system unit of a device calls it. */
  pm2(command: string): Promise<string> {
    const environment = 'PM2_HOME=/run/bowline/pm2 PM2_DISABLE_VERSION_CHECK=true';
    return this.shell(`${environment} /opt/bowline/runtime /checkout/node_modules/pm2/bin/pm2 ${command}`);
  }

  /** Starts the apps with the ecosystem file as it is; returns when each is ready. */
  async startApps(): Promise<void> {
    await this.pm2(`start /opt/bowline/deploy/ecosystem.config.cjs --only ${DEVICE_APPS.join(',')}`);
  }

  bowline(...args: string[]): Promise<string> {
    return this.run('/opt/bowline/runtime', '/opt/bowline/apps/cli/dist/main.js', ...args);
  }

  async readJson(file: string): Promise<object> {
    return JSON.parse(await this.run('cat', file)) as object;
  }

  async writeJson(file: string, value: object): Promise<void> {
    await this.run('sh', '-c', 'printf %s "$1" > "$2"', 'sh', JSON.stringify(value), file);
  }
}

/** @returns the process that holds the namespaces, and the folder of the root in them. */
export async function installRoot(): Promise<{ pid: number; folder: string }> {
  const setUp = join(import.meta.dirname, 'device-root.sh');
  const namespaces = ['--mount', '--pid', '--net', '--fork', '--kill-child'];
  const folder = temporaryFolder();
  const unshare = startProcess('unshare', [...namespaces, setUp, folder, CHECKOUT]);
  await unshare.output(/^installed$/m, { timeoutMs: 60_000 });
  const children = readFileSync(`/proc/${unshare.pid}/task/${unshare.pid}/children`, 'utf8');
  return { pid: Number(children.trim()), folder: join(folder, 'root') };
}
