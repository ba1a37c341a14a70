import type { Lane } from '@bowline/messages';
import type { Clock, Timer } from '@bowline/runtime/clock';
import { RECEIPT_EVERY_MS } from './link-limits.ts';

/** One receipt for many messages: at once if the last one is 100 ms ago, else when it is (protocol, section 4). */
export class ReceiptPacer {
  readonly #clock: Clock;
  readonly #send: (lanes: Partial<Record<Lane, number>>) => void;
  #due: Partial<Record<Lane, number>> = {};
  #lastMs = -Infinity;
  #timer: Timer | undefined;

  constructor(clock: Clock, send: (lanes: Partial<Record<Lane, number>>) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Everything of the lane up to `seq` is on disk. */
  durable(lane: Lane, seq: number): void {
    this.#due[lane] = seq;
    if (this.#timer !== undefined) return;
    const waitMs = this.#lastMs + RECEIPT_EVERY_MS - this.#clock.monotonicMs();
    this.#timer = waitMs > 0 ? this.#clock.after(waitMs, () => this.flush()) : this.#afterThisCommit();
  }

  flush(): void {
    this.stop();
    if (Object.keys(this.#due).length === 0) return;
    const lanes = this.#due;
    this.#due = {};
    this.#lastMs = this.#clock.monotonicMs();
    this.#send(lanes);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The other frames of the same commit are told in the microtasks that follow: one receipt for all of them. */
  #afterThisCommit(): Timer {
    let cancelled = false;
    queueMicrotask(() => {
      if (!cancelled) this.flush();
    });
    return { cancel: () => (cancelled = true) };
  }
}
