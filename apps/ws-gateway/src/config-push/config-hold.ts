import { rmSync } from 'node:fs';
import { LONGEST_CONFIG_HOLD_MS } from '@bowline/messages/hub/apps';
import { readJsonIfPresent, writeFileDurably, type Clock, type Logger, type Timer } from '@bowline/runtime';

export interface ConfigHoldOptions {
  bootId: string;
  clock: Clock;
  log: Pick<Logger, 'warn'>;
  /** What waited may go on. */
  ended(): void;
}

interface Kept {
  bootId: string;
  /** By the clock of that boot. */
  untilMs: number;
}

/**
 * While Bowline itself is on trial no document begins: the restart of an app for it would pass for a crash of the new release.
 * The updater asks for that again and again, and says when it is over; if it dies, the hold ends by itself. It is kept in a
 * file, for the update restarts this process, too, and orders may come before the new updater has said anything.
 */
export class ConfigHold {
  readonly #file: string;
  readonly #options: ConfigHoldOptions;
  #untilMs: number;
  #timer: Timer | undefined;

  constructor(file: string, options: ConfigHoldOptions) {
    this.#file = file;
    this.#options = options;
    const { bootId, clock } = options;
    const kept = readJsonIfPresent(file);
    // Whatever a damaged file says, it is no more than could have been asked for.
    const mostMs = clock.sinceBootMs() + LONGEST_CONFIG_HOLD_MS;
    this.#untilMs = isKept(kept) && kept.bootId === bootId ? Math.min(kept.untilMs, mostMs) : 0;
    if (this.isOn) this.#endLater();
  }

  get isOn(): boolean {
    return this.#leftMs > 0;
  }

  /** @param forMs at least half of it; 0 ends it. */
  hold(forMs: number): void {
    if (forMs === 0) return this.#end();
    // Asked every few seconds; the flash is to be spared.
    if (this.#leftMs >= forMs / 2) return;
    const { bootId, clock, log } = this.#options;
    this.#untilMs = Math.round(clock.sinceBootMs()) + forMs;
    this.#endLater();
    try {
      writeFileDurably(this.#file, JSON.stringify({ bootId, untilMs: this.#untilMs } satisfies Kept));
    } catch (error) {
      log.warn(
        { error },
        'that configurations are held could not be kept: a restart of the gateway forgets it',
      );
    }
  }

  get #leftMs(): number {
    return this.#untilMs - this.#options.clock.sinceBootMs();
  }

  #endLater(): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(this.#leftMs, () => this.#end());
  }

  #end(): void {
    if (this.#untilMs === 0) return;
    this.#untilMs = 0;
    this.#timer?.cancel();
    try {
      rmSync(this.#file, { force: true });
    } catch (error) {
      this.#options.log.warn({ error }, 'the file of a hold that is over could not be removed');
    }
    this.#options.ended();
  }
}

const isKept = (value: unknown): value is Kept =>
  typeof value === 'object' && value !== null && 'untilMs' in value && typeof value.untilMs === 'number';
