import { utf8Bytes } from './utf8-bytes.ts';

/** A line of a program's output; of a longer one only the beginning is kept. */
export interface OutputLine {
  text: string;
  /** Characters of the whole line. */
  length: number;
  /** Bytes of the whole line as UTF-8. */
  bytes: number;
}

/** Cuts output into lines as it comes, and never holds more than one of them. */
export class OutputLines {
  readonly #onLine: (line: OutputLine) => void;
  readonly #maxChars: number;
  #text = '';
  #length = 0;
  #bytes = 0;

  /** @param maxChars of a line that are kept. */
  constructor(onLine: (line: OutputLine) => void, maxChars: number) {
    this.#onLine = onLine;
    this.#maxChars = maxChars;
  }

  push(chunk: string): void {
    let from = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', from)) {
      this.#add(chunk.slice(from, end));
      this.#emit();
      from = end + 1;
    }
    this.#add(chunk.slice(from));
  }

  /** The output has ended: what stands behind the last line feed is a line, too. */
  end(): void {
    if (this.#length > 0) this.#emit();
  }

  #add(text: string): void {
    this.#length += text.length;
    this.#bytes += utf8Bytes(text);
    const room = this.#maxChars - this.#text.length;
    if (room > 0) this.#text += text.slice(0, room);
  }

  #emit(): void {
    const line = { text: this.#text, length: this.#length, bytes: this.#bytes };
    this.#text = '';
    this.#length = 0;
    this.#bytes = 0;
    this.#onLine(line);
  }
}
