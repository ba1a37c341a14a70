/**
 * What `script` (util-linux) logged, as asciicast 2 (docs.asciinema.org): a header, then one event a line.
 *
 * @param timing lines `SECONDS BYTES`, of what was put out.
 * @param output the bytes, after the line by which `script` begins.
 */
export function asciicast(
  timing: string,
  output: Uint8Array,
  header: { timestamp: number; title: string; width: number; height: number },
): string {
  const decoder = new TextDecoder();
  const lines = [JSON.stringify({ version: 2, ...header })];
  let at = output.indexOf(0x0a) + 1;
  let seconds = 0;
  for (const line of timing.split('\n')) {
    const [, delay, bytes] = /^(\d+(?:\.\d+)?) (\d+)$/.exec(line) ?? [];
    if (delay === undefined || bytes === undefined) continue;
    seconds += Number(delay);
    const piece = decoder.decode(output.subarray(at, at + Number(bytes)), { stream: true });
    at += Number(bytes);
    if (piece !== '') lines.push(JSON.stringify([Number(seconds.toFixed(6)), 'o', piece]));
  }
  return `${lines.join('\n')}\n`;
}
