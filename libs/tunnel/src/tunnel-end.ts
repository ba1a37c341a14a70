import type { Clock } from '@bowline/runtime/clock';
import type { WebSocket } from 'ws';
import { haveRead } from './young-memory.ts';

/** As on the link (protocol, section 4). */
const PING_AFTER_MS = 30_000;
const SILENT_AFTER_MS = 60_000;
/** A closed socket whose other side does not answer is cut off after this. */
const CLOSE_GRACE_MS = 2000;

/**
 * One end of a tunnel (protocol, section 8): its WebSocket, whether it still lives, and what waits to be taken by it. The relay
 * has two of them for a stream, device and operator one each.
 */
export class TunnelEnd {
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #stallMs: number;
  #heardAtMs: number;
  #pinged = false;
  #isPaused = false;
  #waitingBytes = 0;
  /** Since when nothing of what waits was taken. */
  #takenAtMs = 0;

  constructor(socket: WebSocket, clock: Clock, stallMs: number) {
    this.#socket = socket;
    this.#clock = clock;
    this.#stallMs = stallMs;
    this.#heardAtMs = clock.monotonicMs();
    for (const event of ['message', 'ping', 'pong'] as const) socket.on(event, () => this.#heard());
    socket.on('error', () => undefined); // `close` follows and says all that matters
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  onBinary(callback: (data: Buffer) => void, onText: () => void): void {
    this.#socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) return onText();
      haveRead(data.length);
      return callback(data);
    });
  }

  onClose(callback: (code: number) => void): void {
    this.#socket.on('close', callback);
  }

  text(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }

  /** @param taken is called when the kernel has it. */
  send(data: Buffer, taken: () => void): void {
    if (this.#waitingBytes === 0) this.#takenAtMs = this.#clock.monotonicMs();
    this.#waitingBytes += data.length;
    this.#socket.send(data, { binary: true }, () => {
      this.#waitingBytes -= data.length;
      this.#takenAtMs = this.#clock.monotonicMs();
      taken();
    });
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
    this.#heard();
  }

  /** A close frame goes behind what waits. `close()` alone waits 30 s for a peer that is dead, or for ever for a paused one. */
  close(code: number): void {
    this.resume();
    this.#socket.close(code);
    this.#cutOffSoon();
  }

  #cutOffSoon(): void {
    setTimeout(() => {
      if (this.#waitingBytes > 0 && !this.#isStalled()) this.#cutOffSoon();
      else this.#socket.terminate();
    }, CLOSE_GRACE_MS).unref();
  }

  #isStalled(): boolean {
    return this.#clock.monotonicMs() - this.#takenAtMs >= this.#stallMs;
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /**
   * Once a second. Silence is no sign of death while we do not listen, or while the other side does not read: it could not
   * see a ping. What does not move at all for `stallMs` ends all the same.
   */
  tick(): void {
    const now = this.#clock.monotonicMs();
    if (this.#waitingBytes > 0) {
      if (this.#isStalled()) this.terminate();
      return;
    }
    if (this.#isPaused) return;
    const silentMs = now - this.#heardAtMs;
    if (silentMs >= SILENT_AFTER_MS) this.terminate();
    else if (silentMs >= PING_AFTER_MS && !this.#pinged && this.isOpen) {
      this.#pinged = true;
      this.#socket.ping();
    }
  }

  #heard(): void {
    this.#heardAtMs = this.#clock.monotonicMs();
    this.#pinged = false;
  }
}
