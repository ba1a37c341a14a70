import { RELEASED_AT, type Clock, type ServerClock } from '@bowline/runtime';

/**
 * The time that this device signs with: the server's, as it told it last. What a refusal told is good for nothing but this
 * (protocol, section 1); it counts until the server is heard again, since a server whose clock was put right refuses what is
 * signed by the time that it told before. Else the device's own, but never one before this release was made: a device without
 * a battery wakes up in 1970.
 */
export class SigningTime {
  readonly #clock: Clock;
  readonly #serverClock: ServerClock;
  /** What a refusal told, less the time since boot of then; and how often the server had been heard by then. */
  #refusal: { offsetMs: number; times: number } | undefined;

  constructor({ clock, serverClock }: { clock: Clock; serverClock: ServerClock }) {
    this.#clock = clock;
    this.#serverClock = serverClock;
  }

  /** Epoch milliseconds. */
  nowMs(): number {
    if (this.#refusal?.times === this.#serverClock.times)
      return this.#refusal.offsetMs + this.#clock.sinceBootMs();
    return this.#serverClock.nowMs() ?? Math.max(this.#clock.wallMs(), RELEASED_AT);
  }

  /** Takes the `serverTime` of a 401. What lies before this release is no time to sign with, whoever says so. */
  told(serverTime: number): void {
    if (serverTime < RELEASED_AT) return;
    this.#refusal = {
      offsetMs: serverTime - this.#clock.sinceBootMs(),
      times: this.#serverClock.times,
    };
  }
}
