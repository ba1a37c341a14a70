import { backoffMs, type Clock, type Logger, type Timer } from '@bowline/runtime';
import { ConfigError } from '@bowline/runtime/errors';

const BACKOFF = { minMs: 1000, baseMs: 1000, capMs: 60_000 };

/**
 * Opens what somebody else may hold for now (a port), with backoff until it succeeds. That it does not is said once, and is no
 * reason for the rest of the app to stand still.
 */
export class KeepTrying {
  readonly #clock: Clock;
  readonly #log: Pick<Logger, 'error'>;
  #timer: Timer | undefined;

  constructor(clock: Clock, log: Pick<Logger, 'error'>) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Resolves after the first attempt. @param open throws ConfigError while it is not to be had */
  async start(open: () => Promise<void>, failures = 0): Promise<void> {
    try {
      await open();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      if (failures === 0) this.#log.error({ code: error.code }, `${error.message}: tried again`);
      const inMs = backoffMs(failures, Math.random(), BACKOFF);
      this.#timer = this.#clock.after(inMs, () => void this.start(open, failures + 1));
    }
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
