/** More than was allowed: nobody knows what the answer would have been. */
export class TooManySteps extends Error {}

/** Ends a piece of work that may otherwise take exponential time, always after the same steps, however fast the machine is. */
export class StepLimit {
  #left = 0;

  begin(steps: number): void {
    this.#left = steps;
  }

  /** @throws TooManySteps */
  take(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new TooManySteps('more steps than are allowed');
  }
}
