import type { Clock, Logger, Timer } from '@bowline/runtime';
import type { LinkServer } from '@bowline/server-sdk';

const LOOK_EVERY_MS = 5000;

export interface DiskGuardOptions {
  /** Below this no device is let in: what is stored already must stay writable. */
  minFreeBytes: number;
  freeBytes: () => number;
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
  start(): void {
    const { minFreeBytes, freeBytes } = this.#options;
    const free = freeBytes();
    this.#judge(free < minFreeBytes, free);
    if (!this.#stopped) this.#timer = this.#clock.after(LOOK_EVERY_MS, () => this.start());
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
