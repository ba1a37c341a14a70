import { retry, type Clock, type Logger, type Timer } from '@bowline/runtime';
import { BowlineError, CancelledError } from '@bowline/runtime/errors';

export interface LogLevelPorts {
  /** Changes it now. @returns the level before. */
  apply(app: string, level: string): Promise<string>;
  clock: Clock;
  log: Pick<Logger, 'info' | 'warn'>;
}

interface Return {
  level: string;
  timer: Timer;
  abort: AbortController;
}

/**
 * Log levels that go back by themselves. The latest order counts: one without a time ends the return that an earlier one has
 * pending, one with another time goes back to what was before both.
 */
export class LogLevels {
  readonly #ports: LogLevelPorts;
  readonly #returns = new Map<string, Return>();

  constructor(ports: LogLevelPorts) {
    this.#ports = ports;
  }

  /** @returns the level before. @throws what `apply` throws: then nothing has changed, a pending return included. */
  async set(app: string, level: string, forMs: number | undefined): Promise<string> {
    const before = await this.#ports.apply(app, level);
    const pending = this.#returns.get(app);
    pending?.timer.cancel();
    pending?.abort.abort(new CancelledError('cancelled', 'another order has set the level'));
    this.#returns.delete(app);
    if (forMs !== undefined) {
      const back = pending?.level ?? before;
      const abort = new AbortController();
      const timer = this.#ports.clock.after(forMs, () => void this.#goBack(app, back, abort.signal));
      this.#returns.set(app, { level: back, timer, abort });
    }
    return before;
  }

  /** An app that is away for the moment is asked until it answers; if it was restarted, it has its own level already. */
  async #goBack(app: string, level: string, signal: AbortSignal): Promise<void> {
    const { apply, clock, log } = this.#ports;
    try {
      await retry(() => apply(app, level), { clock, signal });
      this.#returns.delete(app);
      log.info({ about: app, level }, 'the log level is what it was before');
    } catch (error) {
      if (error instanceof CancelledError) return;
      if (!(error instanceof BowlineError)) throw error;
      this.#returns.delete(app);
      log.warn({ about: app, level, code: error.code }, `the log level stays as it is: ${error.message}`);
    }
  }
}
