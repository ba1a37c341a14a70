/**
 * What `script` (util-linux) logged, as asciicast 2 (docs.asciinema.org): a header, then one event a line, in pieces, since whoever
 * was recorded may have written both files himself, with as many lines as have room.
 *
 * @param timing lines `SECONDS BYTES`, of what was put out.
 * @param output the bytes, after the line by which `script` begins.
 * @returns the header, then one piece for each line of `timing`, empty if that was none or put nothing out.
 */
export function* asciicast(
  timing: string,
  output: Uint8Array,
  header: { timestamp: number; title: string; width: number; height: number },
): Generator<string, void> {
  yield `${JSON.stringify({ version: 2, ...header })}\n`;
  const decoder = new TextDecoder();
  let at = output.indexOf(0x0a) + 1;
  let seconds = 0;
  for (let from = 0, to = 0; from < timing.length; from = to + 1) {
    to = timing.indexOf('\n', from);
    if (to === -1) to = timing.length;
    const [, delay, bytes] = /^(\d+(?:\.\d+)?) (\d+)$/.exec(timing.slice(from, to)) ?? [];
    if (delay !== undefined && bytes !== undefined) {
      seconds += Number(delay);
      const piece = decoder.decode(output.subarray(at, at + Number(bytes)), { stream: true });
      at += Number(bytes);
      yield piece === '' ? '' : `${JSON.stringify([Number(seconds.toFixed(6)), 'o', piece])}\n`;
    } else yield '';
  }
}
