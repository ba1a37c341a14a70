/** Numbers as few bytes, one behind the other: LEB128, negative ones by zigzag (Protocol Buffers, "Encoding"). */
export class ColumnWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(sizeBytes = 1024) {
    this.#bytes = Buffer.allocUnsafe(sizeBytes);
  }

  byte(value: number): void {
    this.#need(1);
    this.#bytes[this.#at++] = value;
  }

  /** @param value a whole number from 0, below 2^53 */
  count(value: number): void {
    this.#need(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }

  /** @param value a whole number of at most 2^52 in size */
  signed(value: number): void {
    this.count(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** With its length before it. */
  piece(bytes: Uint8Array): void {
    this.count(bytes.length);
    this.raw(bytes);
  }

  raw(bytes: Uint8Array): void {
    this.#need(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  done(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  #need(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#at + bytes));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

/** Reads what {@link ColumnWriter} wrote. What ends too early is a RangeError. */
export class ColumnReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const value = this.#bytes[this.#at++];
    if (value === undefined) throw new RangeError('the block ends too early');
    return value;
  }

  count(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  signed(): number {
    const value = this.count();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  piece(): Uint8Array {
    return this.raw(this.count());
  }

  raw(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('the block ends too early');
    const piece = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return piece;
  }
}
