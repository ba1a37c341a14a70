/**
 * The pace of the `history` lane: at most `replayPerSecond` messages a second, so that a fleet coming back from an outage
 * does not drown its server, and live lanes always find room (protocol, section 4). A token bucket of one second.
 */
export class ReplayPace {
  readonly #perSecond: number;
  #tokens: number;
  #filledAtMs: number;

  constructor(perSecond: number, monotonicMs: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#filledAtMs = monotonicMs;
  }

  /** Messages that may be sent now. */
  allowed(monotonicMs: number): number {
    const earned = ((monotonicMs - this.#filledAtMs) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + earned);
    this.#filledAtMs = monotonicMs;
    return Math.floor(this.#tokens);
  }

  taken(messages: number): void {
    this.#tokens -= messages;
  }

  /** When the next message may go, milliseconds from now. */
  nextInMs(monotonicMs: number): number {
    this.allowed(monotonicMs);
    return Math.max(1, Math.ceil(((1 - this.#tokens) * 1000) / this.#perSecond));
  }
}
