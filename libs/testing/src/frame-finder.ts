/**
 * Finds where the head of an HTTP upgrade ends and where each WebSocket frame after it begins (RFC 6455, section 5.2), in
 * whatever pieces the bytes come. One finder follows one direction of one connection.
 */
export class FrameFinder {
  #headTail: string | undefined = '';
  #header: number[] = [];
  #payloadLeft = 0;

  /** @returns the offsets in `bytes` at which a frame begins. */
  feed(bytes: Buffer): number[] {
    const begins: number[] = [];
    let at = this.#skipHead(bytes);
    while (at < bytes.length) {
      if (this.#payloadLeft > 0) {
        const step = Math.min(this.#payloadLeft, bytes.length - at);
        this.#payloadLeft -= step;
        at += step;
        continue;
      }
      if (this.#header.length === 0) begins.push(at);
      this.#header.push(bytes.readUInt8(at));
      at += 1;
      const payload = payloadLength(this.#header);
      if (payload === undefined) continue;
      this.#payloadLeft = payload;
      this.#header = [];
    }
    return begins;
  }

  /** @returns how many of these bytes still belong to the head. */
  #skipHead(bytes: Buffer): number {
    if (this.#headTail === undefined) return 0;
    const text = this.#headTail + bytes.toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    if (end === -1) {
      this.#headTail = text.slice(-3);
      return bytes.length;
    }
    const inHead = end + 4 - this.#headTail.length;
    this.#headTail = undefined;
    return inHead;
  }
}

/** Length of the payload once the header is complete. */
function payloadLength(header: readonly number[]): number | undefined {
  const [, second] = header;
  if (second === undefined) return undefined;
  const short = second & 0x7f;
  const extended = short === 127 ? 8 : short === 126 ? 2 : 0;
  const mask = second & 0x80 ? 4 : 0;
  if (header.length < 2 + extended + mask) return undefined;
  if (extended === 0) return short;
  return header.slice(2, 2 + extended).reduce((length, byte) => length * 256 + byte, 0);
}
