import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { startProcess, temporaryFolder } from '@bowline/testing';

const CHECKOUT = resolve(import.meta.dirname, '../../..');

/** Whether this process may make the namespaces that a {@link DeviceRoot} lives in. */
export const mayMakeNamespaces = (): boolean =>
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['--mount', '--pid', '--net', '--fork', 'true']).status === 0;

/**
 * A device in a copy-on-write view of this machine: real users, real paths (/etc/bowline, /var/lib/bowline, /run/bowline,
 * /opt/bowline), a network of its own with nothing but loopback. The machine itself sees none of it.
 */
export class DeviceRoot {
  readonly pid: number;

  private constructor(pid: number) {
    this.pid = pid;
  }

  static async install(): Promise<DeviceRoot> {
    const setUp = join(import.meta.dirname, 'device-root.sh');
    const namespaces = ['--mount', '--pid', '--net', '--fork', '--kill-child'];
    const unshare = startProcess('unshare', [...namespaces, setUp, temporaryFolder(), CHECKOUT]);
    await unshare.output(/^installed$/m, { timeoutMs: 60_000 });
    const children = readFileSync(`/proc/${unshare.pid}/task/${unshare.pid}/children`, 'utf8');
    return new DeviceRoot(Number(children.trim()));
  }

  /** Arguments of `nsenter` that lead into the device. */
  get #enter(): string[] {
    return ['-t', String(this.pid), '-m', '-p', '-n', '-r', '-w'];
  }

  /** Runs a program in the device as root and gives what it wrote. */
  async run(command: string, ...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)('nsenter', [...this.#enter, command, ...args], {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' },
      maxBuffer: 16 * 2 ** 20,
    });
    return stdout;
  }

  shell(script: string): Promise<string> {
    return this.run('sh', '-ec', script);
  }
}
