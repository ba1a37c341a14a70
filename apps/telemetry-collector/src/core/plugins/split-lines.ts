/** Cuts a stream of text into lines. One that is longer than the limit is left out as a whole, and counted. */
export class LineSplitter {
  readonly #mostChars: number;
  #begun = '';
  #isTooLong = false;
  #tooLong = 0;

  constructor(mostChars: number) {
    this.#mostChars = mostChars;
  }

  get tooLong(): number {
    return this.#tooLong;
  }

  /** The lines that are whole with this chunk, without empty ones. */
  push(chunk: string): string[] {
    const [first = '', ...rest] = chunk.split('\n');
    if (rest.length === 0) {
      this.#begin(this.#begun + first);
      return [];
    }
    const last = rest.pop() ?? '';
    const whole = this.#isTooLong ? rest : [this.#begun + first, ...rest];
    this.#isTooLong = false;
    this.#begin(last);
    const lines = whole.filter((line) => line.length <= this.#mostChars);
    this.#tooLong += whole.length - lines.length;
    return lines.map((line) => line.trim()).filter((line) => line !== '');
  }

  /** What came after the last end of a line. */
  end(): string[] {
    return this.push('\n');
  }

  #begin(text: string): void {
    if (this.#isTooLong) return;
    this.#begun = text;
    if (text.length <= this.#mostChars) return;
    this.#isTooLong = true;
    this.#tooLong += 1;
    this.#begun = '';
  }
}
