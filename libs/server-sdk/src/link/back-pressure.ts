import type { LinkSocket } from './services.ts';

/** Stops reading a device that sends faster than the disk takes, and goes on at half the bound. */
export class BackPressure {
  readonly #socket: Pick<LinkSocket, 'pause' | 'resume'>;
  readonly #maxBytes: number;
  #bytes = 0;
  #paused = false;

  constructor(socket: Pick<LinkSocket, 'pause' | 'resume'>, maxBytes: number) {
    this.#socket = socket;
    this.#maxBytes = maxBytes;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /** So much came that is not on disk yet. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#paused || this.#bytes <= this.#maxBytes) return;
    this.#paused = true;
    this.#socket.pause();
  }

  settle(bytes: number): void {
    this.#bytes -= bytes;
    if (!this.#paused || this.#bytes * 2 > this.#maxBytes) return;
    this.#paused = false;
    this.#socket.resume();
  }
}
