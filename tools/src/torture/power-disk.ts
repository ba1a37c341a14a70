import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, truncateSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Room for the store with its reserve, which it takes from what the disk has. */
const SIZE_BYTES = 2 * 2 ** 30;
/** A scrub of the store that outlives its killed gateway may still have the disk open: a minute at most. */
const UMOUNT_TRIES = 1200;
const UMOUNT_PAUSE_MS = 50;

/** `EXT4_IOC_SHUTDOWN` with `NOLOGFLUSH` (linux/fs/ext4/ext4.h): from here on nothing reaches the disk. */
const SHUT_DOWN = `
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))
`;

/**
 * An ext4 of its own on a loop device, mounted at a folder, whose power can be cut: what was written and not synced is
 * gone, as it would be on a real machine. Needs root, loop devices, e2fsprogs and python3.
 */
export class PowerDisk {
  readonly #folder: string;
  readonly #image: string;
  #device = '';

  constructor(folder: string) {
    this.#folder = folder;
    this.#image = `${folder}.img`;
    closeSync(openSync(this.#image, 'w'));
    truncateSync(this.#image, SIZE_BYTES);
    run('mkfs.ext4', '-q', '-F', this.#image);
    this.#mount();
  }

  /** Why this machine cannot have such disks; undefined if it can. */
  static missing(): string | undefined {
    if (process.getuid?.() !== 0) return 'root';
    for (const program of ['mkfs.ext4', 'mount', 'python3']) {
      if (spawnSync(program, ['--version']).error !== undefined) return program;
    }
    return spawnSync('losetup', ['--find']).status === 0 ? undefined : 'a free loop device';
  }

  cut(): void {
    run('python3', '-c', SHUT_DOWN, this.#folder);
  }

  /** Mounts what is left; the file system's own journal is replayed. */
  async boot(): Promise<void> {
    await this.#unmount();
    this.#mount();
  }

  sync(): void {
    run('sync', '--file-system', this.#folder);
  }

  async end(): Promise<void> {
    await this.#unmount();
    rmSync(this.#image, { force: true });
  }

  /**
   * On a loop device of its own each time: a mount namespace that somebody made meanwhile still holds the disk that was shut
   * down, and `mount -o loop` would give that one again.
   */
  #mount(): void {
    this.#device = run('losetup', '--find', '--show', this.#image).trim();
    run('mount', this.#device, this.#folder);
  }

  async #unmount(): Promise<void> {
    for (let left = UMOUNT_TRIES; ; left -= 1) {
      const { status, stderr } = spawnSync('umount', [this.#folder], { encoding: 'utf8' });
      if (status === 0 || stderr.includes('not mounted')) break;
      if (left === 0) throw new Error(`${this.#folder} stays busy: ${stderr}`);
      await sleep(UMOUNT_PAUSE_MS);
    }
    spawnSync('losetup', ['--detach', this.#device]);
  }
}

function run(program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`);
  return stdout;
}
