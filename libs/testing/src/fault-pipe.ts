import type { Socket } from 'node:net';
import { FrameFinder } from './frame-finder.ts';
import type { SeededRandom } from './seeded-random.ts';

/** What happens to the bytes of one direction. */
export interface Weather {
  /** `hold`: they wait, as when every packet is lost and sent again; `drop`: they are gone, and so is any word of an end. */
  flow: 'pass' | 'hold' | 'drop';
  /** Each piece comes so much later; order is kept. Milliseconds. */
  delayMs: number;
  /** At most so much more, at random. Milliseconds. */
  jitterMs: number;
  bytesPerSecond: number;
}

export const FAIR: Weather = { flow: 'pass', delayMs: 0, jitterMs: 0, bytesPerSecond: Infinity };

/** What is done at the next place in the stream where a WebSocket frame begins. */
export type AtNextFrame = { kind: 'cut' } | { kind: 'insert'; bytes: Buffer };

/** The source is told to wait while this much is under way. */
const MOST_QUEUED_BYTES = 1 << 20;
/** A throttled stream is written so many times a second. */
const WRITES_PER_SECOND = 50;

type Piece = { dueAtMs: number } & ({ bytes: Buffer } | { end: 'fin' | 'reset' });

/** One direction of one connection: takes from one socket and gives to another, as well as the weather lets it. */
export class FaultPipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #random: SeededRandom;
  readonly #frames = new FrameFinder();
  #weather: Weather;
  /** Bytes were lost: this stream can never be made whole again. */
  #holed = false;
  #endLost = false;
  #atNextFrame: AtNextFrame | undefined;
  #queue: Piece[] = [];
  #queuedBytes = 0;
  #mayWriteAtMs = 0;
  #full = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { from: Socket; to: Socket; weather: Weather; random: SeededRandom }) {
    this.#from = options.from;
    this.#to = options.to;
    this.#random = options.random;
    this.#weather = options.weather;
    let ended = false;
    this.#from.on('data', (bytes: Buffer) => this.#take({ bytes }));
    this.#from.on('end', () => {
      ended = true;
      this.#take({ end: 'fin' });
    });
    this.#from.on('close', () => {
      if (!ended) this.#take({ end: 'reset' });
    });
    this.#to.on('drain', () => {
      this.#full = false;
      this.#pump();
    });
  }

  set weather(weather: Weather) {
    this.#weather = weather;
    if (weather.flow === 'drop') this.#lose();
    this.#pump();
  }

  set atNextFrame(action: AtNextFrame) {
    this.#atNextFrame = action;
  }

  /** From now on everything is lost, for good. */
  swallow(): void {
    this.#holed = true;
    this.#lose();
  }

  /** The receiver is never told that the sender has gone. */
  loseEnd(): void {
    this.#endLost = true;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #take(piece: { bytes: Buffer } | { end: 'fin' | 'reset' }): void {
    const { flow, delayMs, jitterMs } = this.#weather;
    if (this.#endLost && 'end' in piece) return;
    if (flow === 'drop' || this.#holed) {
      this.#holed = true;
      return;
    }
    const due = performance.now() + delayMs + this.#random.next() * jitterMs;
    this.#queue.push({ ...piece, dueAtMs: Math.max(due, this.#queue.at(-1)?.dueAtMs ?? 0) });
    if ('bytes' in piece) this.#queuedBytes += piece.bytes.length;
    if (this.#queuedBytes > MOST_QUEUED_BYTES) this.#from.pause();
    this.#pump();
  }

  #lose(): void {
    if (this.#queue.length > 0) this.#holed = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#from.resume();
  }

  #pump(): void {
    clearTimeout(this.#timer);
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      if (this.#weather.flow === 'hold' || this.#full) return;
      const waitMs = Math.max(first.dueAtMs, this.#mayWriteAtMs) - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#pump(), waitMs);
        return;
      }
      if ('bytes' in first) this.#write(first);
      else this.#end(first.end);
    }
  }

  #write(piece: { bytes: Buffer }): void {
    const { bytesPerSecond } = this.#weather;
    const most = Math.max(1, Math.ceil(bytesPerSecond / WRITES_PER_SECOND));
    const bytes = piece.bytes.subarray(0, most);
    piece.bytes = piece.bytes.subarray(bytes.length);
    this.#queuedBytes -= bytes.length;
    if (piece.bytes.length === 0) this.#queue.shift();
    if (this.#queuedBytes <= MOST_QUEUED_BYTES) this.#from.resume();
    this.#mayWriteAtMs = performance.now() + (bytes.length / bytesPerSecond) * 1000;

    const [frameAt, frameEnd = bytes.length] = this.#frames.feed(bytes);
    const action = frameAt === undefined ? undefined : this.#atNextFrame;
    if (action === undefined) return this.#send(bytes);
    this.#atNextFrame = undefined;
    this.#send(bytes.subarray(0, frameAt));
    if (action.kind === 'insert') {
      this.#send(action.bytes);
      this.#send(bytes.subarray(frameAt));
    } else {
      // A frame has at least two bytes, so one byte of it is never the whole.
      const begin = frameAt ?? 0;
      const partEnd = begin + this.#random.integer(1, Math.max(1, frameEnd - begin - 1));
      this.#to.end(bytes.subarray(begin, partEnd));
      this.#from.resetAndDestroy();
      this.swallow();
    }
  }

  #send(bytes: Buffer): void {
    // The other side went away behind our back: who still sends to it is told so, as its own kernel would.
    if (this.#to.destroyed) this.#from.resetAndDestroy();
    else if (bytes.length > 0 && !this.#to.write(bytes)) this.#full = true;
  }

  #end(how: 'fin' | 'reset'): void {
    this.#queue.shift();
    if (how === 'fin') this.#to.end();
    else this.#to.resetAndDestroy();
  }
}
