import type { Clock } from '@bowline/runtime';
import type { Progress } from './command.ts';

/** At most two a second an order (protocol, section 4). */
const EVERY_MS = 500;

/** The progress of one run: the first at once, then the newest every half second, however much a program talks. */
export class ProgressPacer {
  readonly #clock: Clock;
  readonly #send: (progress: Progress) => void;
  #newest: Progress | undefined;
  #pausing = false;
  #ended = false;

  constructor(clock: Clock, send: (progress: Progress) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  report(progress: Progress): void {
    if (this.#ended) return;
    if (this.#pausing) this.#newest = progress;
    else this.#sendNow(progress);
  }

  /** What was not sent is of no interest any more: the outcome follows. */
  end(): void {
    this.#ended = true;
  }

  #sendNow(progress: Progress): void {
    this.#send(progress);
    this.#newest = undefined;
    this.#pausing = true;
    this.#clock.after(EVERY_MS, () => {
      this.#pausing = false;
      if (this.#newest !== undefined && !this.#ended) this.#sendNow(this.#newest);
    });
  }
}
