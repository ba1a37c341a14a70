import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const NAME = /^history-(\d{1,9})\.sqlite$/;

/**
 * The files of the store's folder: `history-N.sqlite`. What is salvaged of a damaged file goes into the next number, and the
 * damaged one stays beside it for whoever wants to look into it. No file ever takes another's name, so no write-ahead log can
 * come to lie beside a file that it does not belong to.
 */
export class HistoryFiles {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Rising. */
  numbers(): number[] {
    return readdirSync(this.folder)
      .flatMap((name) => NAME.exec(name)?.[1] ?? [])
      .map(Number)
      .toSorted((a, b) => a - b);
  }

  path(number: number): string {
    return join(this.folder, `history-${number}.sqlite`);
  }

  remove(number: number): void {
    for (const ending of ['', '-wal', '-shm', '-journal'])
      rmSync(this.path(number) + ending, { force: true });
  }

  /** All before a number but the newest of them: the last damaged one. */
  removeBefore(number: number): void {
    for (const old of this.numbers()
      .filter((each) => each < number)
      .slice(0, -1))
      this.remove(old);
  }

  /** Gives up the damaged file for room. @returns whether there was one */
  removeQuarantine(current: number): boolean {
    const old = this.numbers().filter((each) => each < current);
    for (const each of old) this.remove(each);
    return old.length > 0;
  }
}
