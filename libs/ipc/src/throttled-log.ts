import type { Clock, Logger } from '@bowline/runtime';

interface Line {
  at: number;
  omitted: number;
}

const EVERY_MS = 1000;

/**
 * A peer that misbehaves as fast as it can must not fill the disk with our complaints: the same message is logged once a
 * second at most, and then says how often it was left out.
 */
export class ThrottledLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #lines = new Map<string, Line>();

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** @param message a constant; whatever varies belongs into `fields`. */
  write(level: 'info' | 'warn' | 'error', fields: Record<string, unknown>, message: string): void {
    const at = this.#clock.monotonicMs();
    const last = this.#lines.get(message);
    if (last !== undefined && at - last.at < EVERY_MS) {
      last.omitted += 1;
      return;
    }
    this.#lines.set(message, { at, omitted: 0 });
    this.#log[level](last?.omitted ? { ...fields, omitted: last.omitted } : fields, message);
  }
}
