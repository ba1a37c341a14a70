import { retry, type Clock, type Logger, type Timer } from '@bowline/runtime';
import { BowlineError, CancelledError } from '@bowline/runtime/errors';

/** A level that is to come back: with the boot and its clock, since a time in another boot says nothing. */
export interface KeptReturn {
  app: string;
  level: string;
  bootId: string;
  /** Monotonic, from the boot. */
  dueMs: number;
}

export interface LogLevelPorts {
  /** Changes it now. @returns the level before. */
  apply(app: string, level: string): Promise<string>;
  clock: Clock;
  /** Counts from the boot. */
  now(): { bootId: string; monotonicMs: number };
  /** What is pending outlives this process. */
  kept: { read(): KeptReturn[]; write(all: readonly KeptReturn[]): void };
  log: Pick<Logger, 'info' | 'warn'>;
}

interface Return {
  kept: KeptReturn;
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
    const { bootId, monotonicMs } = ports.now();
    // After a boot every app has started with its own level.
    for (const kept of ports.kept.read())
      if (kept.bootId === bootId) this.#await(kept, Math.max(0, kept.dueMs - monotonicMs));
  }

  /** @returns the level before. @throws what `apply` throws: then nothing has changed, a pending return included. */
  async set(app: string, level: string, forMs: number | undefined): Promise<string> {
    const before = await this.#ports.apply(app, level);
    const pending = this.#returns.get(app);
    pending?.timer.cancel();
    pending?.abort.abort(new CancelledError('cancelled', 'another order has set the level'));
    this.#returns.delete(app);
    if (forMs !== undefined) {
      const { bootId, monotonicMs } = this.#ports.now();
      const back = pending?.kept.level ?? before;
      this.#await({ app, level: back, bootId, dueMs: monotonicMs + forMs }, forMs);
    }
    this.#keep();
    return before;
  }

  #await(kept: KeptReturn, inMs: number): void {
    const abort = new AbortController();
    const timer = this.#ports.clock.after(inMs, () => void this.#goBack(kept, abort.signal));
    this.#returns.set(kept.app, { kept, timer, abort });
  }

  /** An app that is away for the moment is asked until it answers; if it was restarted, it has its own level already. */
  async #goBack({ app, level }: KeptReturn, signal: AbortSignal): Promise<void> {
    const { apply, clock, log } = this.#ports;
    try {
      await retry(() => apply(app, level), { clock, signal });
      log.info({ about: app, level }, 'the log level is what it was before');
    } catch (error) {
      if (error instanceof CancelledError) return;
      if (!(error instanceof BowlineError)) throw error;
      log.warn({ about: app, level, code: error.code }, `the log level stays as it is: ${error.message}`);
    }
    this.#returns.delete(app);
    this.#keep();
  }

  /** A disk that does not take it is no reason to fail: the level goes back all the same, unless this process ends. */
  #keep(): void {
    const { kept, log } = this.#ports;
    try {
      kept.write([...this.#returns.values()].map((each) => each.kept));
    } catch (error) {
      log.warn({ error }, 'when log levels go back could not be recorded');
    }
  }
}
