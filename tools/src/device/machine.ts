import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  afterThisFile,
  isRunning,
  killByPid,
  needs,
  startProcess,
  waitFor,
  type TestProcess,
} from '@bowline/testing';
import { canInstallDevice, DeviceRoot, installRoot } from './device-root.ts';

/** Whether this machine can boot another one: what {@link canInstallDevice} asks for, and systemd-nspawn. */
export const canBootMachine = (): boolean =>
  canInstallDevice() && needs('systemd-container') && needs('nftables');

const BOOT_TIMEOUT_MS = 120_000;
/** Exit code of systemd-nspawn (1) when the machine asks to be started anew. */
const REBOOT = 133;

/**
 * An installed device that boots: systemd is its first process, it has a boot id of its own, it can be told to reboot, and it
 * has a switch. Its disk lasts as long as the test; its network is a loopback of its own.
 */
export class Machine extends DeviceRoot {
  #nspawn: TestProcess | undefined;
  #lastInit: number | undefined;

  /** Installed and switched off. */
  static override async install(): Promise<Machine> {
    const { pid, folder } = await installRoot();
    const within = (...command: string[]) =>
      promisify(execFile)('nsenter', ['-t', String(pid), '-m', ...command]);
    // What else this machine starts at its boot is none of the device's.
    const units = join(folder, 'etc/systemd/system');
    await within('find', units, '-path', '*.wants/*', '!', '-name', 'bowline*', '-delete');
    // A machine that boots mounts these itself, new each time.
    const given = ['dev', 'proc', 'run', 'tmp'].map((name) => join(folder, name));
    await within('umount', '--recursive', '--lazy', ...given);
    const machine = new Machine(pid, folder);
    // systemd-nspawn does not take the machine along when it is killed.
    afterThisFile(() => machine.powerOff());
    return machine;
  }

  /** Switches it on; returns when the units of its start-up have been started, whether or not one of them failed. */
  async boot(): Promise<void> {
    this.#switchOn();
    await this.booted();
  }

  #switchOn(): void {
    const nspawn = ['systemd-nspawn', '--quiet', '--register=no', '--keep-unit', '--console=pipe'];
    const options = ['--capability=CAP_NET_ADMIN', '--link-journal=no', '-D', this.folder, '-b'];
    const started = startProcess('nsenter', ['-t', String(this.pid), '-m', '-n', ...nspawn, ...options]);
    this.#nspawn = started;
    // It leaves the second half of a reboot to whoever started it.
    void started.exited.then(({ code }) => {
      if (code === REBOOT && this.#nspawn === started) this.#switchOn();
    });
  }

  /** Waits for the end of a boot that has begun, from within or by {@link boot}. */
  async booted(bootId?: string): Promise<void> {
    const isUp = async () => {
      if (this.#init === undefined) return false;
      const state = await this.shell('systemctl is-system-running || true').catch(() => '');
      if (!/^(running|degraded)$/m.test(state)) return false;
      return bootId === undefined || (await this.bootId()) !== bootId;
    };
    await waitFor(isUp, { what: 'the machine to boot', everyMs: 200, timeoutMs: BOOT_TIMEOUT_MS });
  }

  async bootId(): Promise<string> {
    return (await this.run('cat', '/proc/sys/kernel/random/boot_id')).trim();
  }

  /** Cuts its power: every process of it is killed at once. */
  async powerOff(): Promise<void> {
    const init = this.#init ?? this.#lastInit;
    if (init !== undefined && isRunning(init)) killByPid(init);
    await this.#nspawn?.exited;
    this.#nspawn = undefined;
    this.#lastInit = undefined;
  }

  /** Its first process, as this machine numbers it. */
  get #init(): number | undefined {
    if (this.#nspawn === undefined) return undefined;
    const { pid } = this.#nspawn;
    if (!isRunning(pid)) return undefined;
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    if (first === undefined || first === '') return undefined;
    return (this.#lastInit = Number(first));
  }

  protected override get enter(): string[] {
    const init = this.#init;
    if (init === undefined) throw new Error('the machine is off');
    return ['-t', String(init), '-m', '-p', '-n', '-u', '-i', '-r', '-w'];
  }
}
