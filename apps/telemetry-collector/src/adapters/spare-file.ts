import { writeFileDurably, type Logger } from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';

/** What a disk says that takes no writes; SQLite, where the folder's names are made durable. */
const isRefusal = (error: unknown): error is Error =>
  hasCode(error, 'ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'ERR_SQLITE_ERROR');

/** A file without which the collector goes on: a disk that does not take it is said once, until it does. */
export class SpareFile {
  readonly #file: string;
  readonly #log: Pick<Logger, 'warn'>;
  #isRefused = false;

  constructor(file: string, log: Pick<Logger, 'warn'>) {
    this.#file = file;
    this.#log = log;
  }

  /** @returns whether it is on the disk. */
  write(text: string): boolean {
    try {
      writeFileDurably(this.#file, text);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (!this.#isRefused)
        this.#log.warn({ file: this.#file, why: error.message }, 'cannot be written: it goes on without');
      this.#isRefused = true;
      return false;
    }
    this.#isRefused = false;
    return true;
  }
}
