import type { Clock } from './clock.ts';

/**
 * Server time, carried by the time since boot, which goes on while the device is suspended (protocol, section 4: `expiresAt` is
 * checked on server time). Unknown until the server was heard once since this process began; the device's wall clock is never
 * asked.
 */
export class ServerClock {
  readonly #clock: Clock;
  #offsetMs: number | undefined;
  #times = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes what `welcome`, a heartbeat's answer or a 401 told, epoch milliseconds. */
  told(serverTime: number): void {
    this.#offsetMs = serverTime - this.#clock.sinceBootMs();
    this.#times += 1;
  }

  /** How often the server was heard: tells whether it was since something else. */
  get times(): number {
    return this.#times;
  }

  /** Epoch milliseconds, or undefined. */
  nowMs(): number | undefined {
    return this.#offsetMs === undefined ? undefined : this.#clock.sinceBootMs() + this.#offsetMs;
  }
}
