import type { LinkStateName } from '@bowline/messages/hub/apps';
import type { Clock, Timer } from '@bowline/runtime';

/** A new link must still stand after this (or half of the time there is), milliseconds: one that a bad setting ends at once proves nothing. */
export const STANDS_FOR_MS = 2000;

/** Whether a link that is made from now on comes to stand: hello and welcome went over it, under what is in force now. */
export class LinkProof {
  readonly #clock: Clock;
  readonly #renew: () => void;
  #state: LinkStateName = 'offline';
  #watch: ((state: LinkStateName) => void) | undefined;

  constructor(clock: Clock, renew: () => void) {
    this.#clock = clock;
    this.#renew = renew;
  }

  link(state: LinkStateName): void {
    this.#state = state;
    this.#watch?.(state);
  }

  /** @param untilMs on the monotonic clock. */
  proven(untilMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const clock = this.#clock;
    const leftMs = Math.max(0, untilMs - clock.monotonicMs());
    const standsForMs = Math.min(STANDS_FOR_MS, leftMs / 2);
    let stands: Timer | undefined;
    const end = (proven: boolean) => {
      this.#watch = undefined;
      stands?.cancel();
      late.cancel();
      resolve(proven);
    };
    const late = clock.after(leftMs, () => end(false));
    this.#renew();
    // What was online until now does not count; `renew` has ended it.
    let wasDown = this.#state !== 'online';
    this.#watch = (state) => {
      stands?.cancel();
      if (state !== 'online') wasDown = true;
      else if (wasDown) stands = clock.after(standsForMs, () => end(true));
    };
    return promise;
  }
}
