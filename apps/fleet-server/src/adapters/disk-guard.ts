import { statfs } from 'node:fs/promises';
import type { Clock, Logger, Timer } from '@bowline/runtime';
import type { LinkServer } from '@bowline/server-sdk';

const LOOK_EVERY_MS = 5000;

export interface DiskGuardOptions {
  folder: string;
  /** Below this no device is let in: what is stored already must stay writable. */
  minFreeBytes: number;
  /** Default: what the file system says. */
  freeBytes?: (folder: string) => Promise<number>;
}

/** Sends devices away before the disk is full, and lets them come back when there is room again. */
export class DiskGuard {
  readonly #links: Pick<LinkServer, 'shut'>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #options: DiskGuardOptions;
  #low = false;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(
    links: Pick<LinkServer, 'shut'>,
    ports: { clock: Clock; log: Logger },
    options: DiskGuardOptions,
  ) {
    this.#links = links;
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.#options = options;
  }

  /** Looks now, and every 5 s from then on. */
  async start(): Promise<void> {
    const { folder, minFreeBytes, freeBytes = freeBytesOf } = this.#options;
    const free = await freeBytes(folder);
    this.#judge(free < minFreeBytes, free);
    if (!this.#stopped) this.#timer = this.#clock.after(LOOK_EVERY_MS, () => void this.start());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #judge(low: boolean, freeBytes: number): void {
    if (low === this.#low) return;
    this.#low = low;
    if (low)
      this.#log.error({ freeBytes }, 'the disk is nearly full: devices are sent away until there is room');
    else this.#log.info({ freeBytes }, 'there is room on the disk again');
    this.#links.shut(
      low ? { code: 'disk-full', detail: 'the disk of the server is nearly full' } : undefined,
    );
  }
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
