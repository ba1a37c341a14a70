import type { Clock, Timer } from '@bowline/runtime';

/**
 * The beat of one link: a random first phase, so that a fleet that came back together does not beat together, then every
 * `periodMs` (protocol, section 5). Knows the round trip from the answers.
 */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #periodMs: number;
  /** Sends one heartbeat and returns its id. */
  readonly #send: () => string;
  #timer: Timer | undefined;
  #waiting: { id: string; sentAtMs: number } | undefined;
  #roundTripMs: number | undefined;
  #missed = 0;

  constructor({ clock, periodMs, send }: { clock: Clock; periodMs: number; send: () => string }) {
    this.#clock = clock;
    this.#periodMs = periodMs;
    this.#send = send;
  }

  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** Beats in a row that were not answered before the next one was due. */
  get missed(): number {
    return this.#missed;
  }

  /** @param random in [0, 1): the phase of the first beat. */
  start(random: number): void {
    this.#timer = this.#clock.after(random * this.#periodMs, () => this.#beat());
  }

  #beat(): void {
    this.#timer = this.#clock.after(this.#periodMs, () => this.#beat());
    if (this.#waiting !== undefined) this.#missed += 1;
    this.#waiting = { sentAtMs: this.#clock.monotonicMs(), id: this.#send() };
  }

  answered(id: string): void {
    this.#missed = 0;
    if (this.#waiting?.id !== id) return;
    this.#roundTripMs = Math.round((this.#clock.monotonicMs() - this.#waiting.sentAtMs) * 100) / 100;
    this.#waiting = undefined;
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
