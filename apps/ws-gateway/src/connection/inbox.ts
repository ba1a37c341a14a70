import type { RawData, WebSocket } from 'ws';

/** Frames that wait to be worked off before the socket is told to pause, and when it may go on. */
const FULL = 64;
const LOW = 16;

/** Works off the frames of a socket one at a time and in order; a server that floods us is held back by its socket. */
export class Inbox {
  readonly #socket: WebSocket;
  readonly #work: (data: RawData, isBinary: boolean) => Promise<void>;
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(socket: WebSocket, work: (data: RawData, isBinary: boolean) => Promise<void>) {
    this.#socket = socket;
    this.#work = work;
  }

  put(data: RawData, isBinary: boolean): void {
    this.#waiting += 1;
    if (this.#waiting === FULL) this.#socket.pause();
    this.#tail = this.#tail
      .then(() => this.#work(data, isBinary))
      .finally(() => {
        this.#waiting -= 1;
        if (this.#waiting === LOW && this.#socket.isPaused) this.#socket.resume();
      });
  }

  /** Resolves when everything put so far is worked off. */
  done(): Promise<void> {
    return this.#tail;
  }
}
