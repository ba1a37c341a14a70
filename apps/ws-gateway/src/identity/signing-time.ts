import { RELEASED_AT, type Clock, type ServerClock } from '@bowline/runtime';

/**
 * The time that this device signs with. The server's if it is known; else what a refusal told, which is good for nothing
 * but this (protocol, section 1); else the device's own, but never one before this release was made: a device without a
 * battery wakes up in 1970.
 */
export class SigningTime {
  readonly #clock: Clock;
  readonly #serverClock: ServerClock;
  /** What a refusal told, less the monotonic clock of then. */
  #toldOffsetMs: number | undefined;

  constructor({ clock, serverClock }: { clock: Clock; serverClock: ServerClock }) {
    this.#clock = clock;
    this.#serverClock = serverClock;
  }

  /** Epoch milliseconds. */
  nowMs(): number {
    const server = this.#serverClock.nowMs();
    if (server !== undefined) return server;
    if (this.#toldOffsetMs !== undefined) return this.#toldOffsetMs + this.#clock.monotonicMs();
    return Math.max(this.#clock.wallMs(), RELEASED_AT);
  }

  /** Takes the `serverTime` of a 401. What lies before this release is no time to sign with, whoever says so. */
  told(serverTime: number): void {
    if (serverTime >= RELEASED_AT) this.#toldOffsetMs = serverTime - this.#clock.monotonicMs();
  }
}
