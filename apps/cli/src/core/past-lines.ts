/**
 * Sorts out what `pm2 logs --raw` prints: for each log file a headline and its last lines, a blank line, then what is new.
 * pm2 reads 200 bytes for each line that it is asked for, so longer lines come fewer, and the first one cut.
 */
export class PastLines {
  readonly #wanted: number;
  readonly #show: (line: string) => void;
  #past: string[] | undefined;

  constructor(wanted: number, show: (line: string) => void) {
    this.#wanted = wanted;
    this.#show = show;
  }

  /** Enough for lines of 2,000 bytes. */
  get linesToAskFor(): number {
    return this.#wanted * 10;
  }

  /** @param line without colours. */
  take(line: string): void {
    if (line.startsWith('[TAILING]')) return;
    if (/^\/.* last \d+ lines:$/.test(line)) {
      this.end();
      this.#past = [];
      return;
    }
    if (line === '') return this.end();
    if (this.#past === undefined) return this.#show(line);
    const isCut = this.#past.length === 0 && !line.startsWith('{');
    if (!isCut) this.#past.push(line);
  }

  /** The past is complete: its last lines are shown. */
  end(): void {
    const past = this.#past ?? [];
    this.#past = undefined;
    if (this.#wanted > 0) past.slice(-this.#wanted).forEach(this.#show);
  }
}
