import type { IpcLimits } from './limits.ts';

/**
 * Bounds what the other side may have us work on at a time: above the limits we stop reading its socket, so that the
 * kernel's buffer and then its own window fill up; at half of them we read on.
 */
export class WorkMeter {
  readonly #limits: Pick<IpcLimits, 'requestsInWork' | 'bytesInWork'>;
  readonly #pause: () => void;
  readonly #resume: () => void;
  #requests = 0;
  #bytes = 0;
  #paused = false;

  constructor(
    limits: Pick<IpcLimits, 'requestsInWork' | 'bytesInWork'>,
    { pause, resume }: { pause: () => void; resume: () => void },
  ) {
    this.#limits = limits;
    this.#pause = pause;
    this.#resume = resume;
  }

  begin(bytes: number): void {
    this.#requests += 1;
    this.#bytes += bytes;
    const full = this.#requests >= this.#limits.requestsInWork || this.#bytes >= this.#limits.bytesInWork;
    if (full && !this.#paused) {
      this.#paused = true;
      this.#pause();
    }
  }

  finish(bytes: number): void {
    this.#requests -= 1;
    this.#bytes -= bytes;
    const roomy =
      this.#requests <= this.#limits.requestsInWork / 2 && this.#bytes <= this.#limits.bytesInWork / 2;
    if (this.#paused && roomy) {
      this.#paused = false;
      this.#resume();
    }
  }
}
