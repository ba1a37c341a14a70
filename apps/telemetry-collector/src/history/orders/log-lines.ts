/** Longer lines are cut: of the rest nothing is kept, however long it is. */
const MOST_LINE_CHARS = 16 * 1024;
/** A character has three bytes for each of its UTF-16 units at most. */
const MOST_LINE_BYTES = 3 * MOST_LINE_CHARS;
const NEW_LINE = 0x0a;

export interface LogLine {
  text: string;
  /** Where the next one begins, in bytes of the file as it was written. */
  end: number;
}

/**
 * Cuts bytes into lines, without empty ones. The last one need not have ended: what comes of it later is a line of its own.
 *
 * @param offset where in the file the bytes begin.
 */
export async function* linesOf(bytes: AsyncIterable<Buffer>, offset: number): AsyncGenerator<LogLine> {
  let kept: Buffer[] = [];
  let keptBytes = 0;
  let end = offset;
  const keep = (piece: Buffer) => {
    end += piece.length;
    if (piece.length === 0 || keptBytes >= MOST_LINE_BYTES) return;
    kept.push(piece.subarray(0, MOST_LINE_BYTES - keptBytes));
    keptBytes += piece.length;
  };
  const text = () => {
    const all = Buffer.concat(kept).toString('utf8').replace(/\r$/, '').slice(0, MOST_LINE_CHARS);
    kept = [];
    keptBytes = 0;
    return all;
  };
  for await (const chunk of bytes) {
    let from = 0;
    for (let at = chunk.indexOf(NEW_LINE); at !== -1; at = chunk.indexOf(NEW_LINE, from)) {
      keep(chunk.subarray(from, at));
      end += 1;
      from = at + 1;
      const line = text();
      if (line !== '') yield { text: line, end };
    }
    keep(chunk.subarray(from));
  }
  const last = text();
  if (last !== '') yield { text: last, end };
}

/** Epoch milliseconds, of a line as our logger writes it (libs/runtime/src/logger.ts); not of an object within it. */
export function timeOf(line: string): number | undefined {
  const text = /^\{[^{[]*?"time":"([^"]{10,40})"/.exec(line)?.[1];
  const at = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}

/** As JSON: what is no JSON object comes as a text. */
export function rendered(line: string): string {
  if (!line.startsWith('{')) return JSON.stringify(line);
  try {
    return JSON.stringify(JSON.parse(line));
  } catch {
    return JSON.stringify(line);
  }
}
