import type { FramePart } from './frame-parser.ts';
import { FRAMING_BYTES, type IpcLimits } from './limits.ts';

/** As much makes a frame that is worth its write: it does not wait for what else this turn may bring. */
const AT_ONCE_BYTES = 32 * 1024;

/** Where frames go: one connection of node-ipc. */
export interface FrameSink {
  /** Hands one frame over. False when the kernel did not take it at once: `drained` must follow. */
  write(messages: readonly FramePart[]): boolean;
  /** Bytes handed over that the kernel has not taken yet. */
  pendingBytes(): number;
}

/**
 * Gathers the messages of one tick into one write, and keeps the window: what the kernel has not taken never grows
 * beyond the bytes that each caller of {@link add} names, because node-ipc ends a connection that does. While the other
 * side does not read, messages wait here.
 */
export class WriteQueue {
  readonly #sink: FrameSink;
  readonly #frameBytes: number;
  readonly #onRoom: () => void;
  #messages: (FramePart & { bytes: number })[] = [];
  #bytes = 0;
  #scheduled = false;
  #blocked = false;
  #refused = false;
  #closed = false;

  /** @param onRoom called when there is room again after `add` refused. */
  constructor(sink: FrameSink, limits: Pick<IpcLimits, 'frameBytes'>, onRoom: () => void = () => {}) {
    this.#sink = sink;
    this.#frameBytes = limits.frameBytes;
    this.#onRoom = onRoom;
  }

  /** False, and nothing is taken, if the message does not fit into the window of `windowBytes`. */
  add(part: FramePart, windowBytes: number): boolean {
    const bytes = bytesOf(part);
    if (this.#closed || this.#bytes + this.#sink.pendingBytes() + bytes > windowBytes) {
      this.#refused = true;
      return false;
    }
    this.#messages.push({ ...part, bytes });
    this.#bytes += bytes;
    if (this.#bytes >= AT_ONCE_BYTES) this.flush();
    else if (!this.#scheduled && !this.#blocked) {
      this.#scheduled = true;
      setImmediate(() => this.flush());
    }
    return true;
  }

  /** Writes what has gathered, as far as the kernel takes it. */
  flush(): void {
    this.#scheduled = false;
    while (!this.#closed && !this.#blocked && this.#messages.length > 0) {
      this.#blocked = !this.#sink.write(this.#takeFrame());
    }
    this.#tellRoom();
  }

  /** The kernel has taken everything. */
  drained(): void {
    this.#blocked = false;
    this.flush();
  }

  /** Drops what waits; nothing is written any more. */
  close(): void {
    this.#closed = true;
    this.#messages = [];
    this.#bytes = 0;
  }

  #takeFrame(): FramePart[] {
    const room = this.#frameBytes - FRAMING_BYTES;
    let count = 0;
    let bytes = 0;
    for (const message of this.#messages) {
      if (count > 0 && bytes + message.bytes > room) break;
      count += 1;
      bytes += message.bytes;
    }
    this.#bytes -= bytes;
    return this.#messages.splice(0, count);
  }

  #tellRoom(): void {
    if (!this.#refused || this.#blocked || this.#closed) return;
    this.#refused = false;
    this.#onRoom();
  }
}

/** What a message takes in a frame, with what parts it from the next. */
export const bytesOf = ({ text, lines }: FramePart): number =>
  Buffer.byteLength(text) + 1 + (lines === undefined ? 0 : Buffer.byteLength(lines) + 1);
