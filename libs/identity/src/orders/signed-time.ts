import { readJsonIfPresent, writeFileDurably } from '@bowline/runtime';
import { TransientError } from '@bowline/runtime/errors';

/** The same in another file of the app ({@link SpentOrders}): either of them may be lost. */
export interface TimeMark {
  reached(): number;
  reach(seconds: number): void;
}

/**
 * The latest moment that a signature taken here says it was made at (`iat`). The server's time comes over a link, through a
 * gateway, and both may be captured; this was signed by a key of the trust bundle. So no signature is judged at an earlier
 * time: what had expired then stays expired, however far the clock is put back.
 */
export class SignedTime {
  readonly #file: string;
  readonly #mark: TimeMark;
  #seconds: number;

  constructor(file: string, mark: TimeMark) {
    this.#file = file;
    this.#mark = mark;
    this.#seconds = Math.max(read(file), mark.reached());
  }

  /** The time to judge at. @param toldMs server time as told, epoch milliseconds. */
  notBefore(toldMs: number): number {
    return Math.max(toldMs, this.#seconds * 1000);
  }

  /**
   * Call it with an `iat` that was judged: it must not lie ahead.
   *
   * @throws TransientError `spent-orders-unwritable`
   */
  reached(iat: number | undefined): void {
    if (iat === undefined || iat <= this.#seconds) return;
    this.#mark.reach(iat);
    try {
      writeFileDurably(this.#file, `${JSON.stringify({ iat })}\n`);
    } catch (error) {
      throw new TransientError(
        'spent-orders-unwritable',
        `the time of a signature cannot be recorded: ${String(error)}`,
        { cause: error },
      );
    }
    this.#seconds = iat;
  }
}

/** A file that is damaged says nothing: the mark beside it does. */
function read(file: string): number {
  const iat = (readJsonIfPresent(file) as { iat?: unknown } | null | undefined)?.iat;
  return typeof iat === 'number' && Number.isSafeInteger(iat) ? iat : 0;
}
