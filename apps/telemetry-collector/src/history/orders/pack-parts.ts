import { gzipSync } from 'node:zlib';
import type { History } from '@bowline/messages';
import { behind, type Cursor, type Item } from './item.ts';

/** One message of an answer, and where the next one begins. */
export interface PackedPart {
  payload: Pick<History, 'encoding' | 'data'>;
  items: number;
  /** Of JSON: what the whole answer grows by. */
  bytes: number;
  next: Cursor;
}

/** Of JSON in one part: packed, that is some 10 to 40 KB. */
const PART_BYTES = 128 * 1024;
/** With its envelope below the smallest frame that servers take by default. */
const MOST_PACKED_BYTES = 48 * 1024;
/** What is shorter is not worth packing. */
const PLAIN_BYTES = 1024;

type Numbered = Item & { groupIndex: number };

/** Cuts items into parts that fit into a frame, whatever is in them. An answer without items is one part without items. */
export async function* packParts(
  items: AsyncIterable<Numbered>,
  from: Cursor,
  mostBytes = PART_BYTES,
): AsyncGenerator<PackedPart, void> {
  const partBytes = Math.min(mostBytes, PART_BYTES);
  let gathered: Numbered[] = [];
  let bytes = 0;
  let cursor = from;
  let isEmpty = true;
  for await (const item of items) {
    if (bytes + item.text.length > partBytes && gathered.length > 0) {
      for (const part of fitting(gathered, cursor)) {
        cursor = part.next;
        yield part;
      }
      gathered = [];
      bytes = 0;
    }
    isEmpty = false;
    gathered.push(item);
    bytes += item.text.length + 1;
  }
  if (gathered.length > 0 || isEmpty) yield* fitting(gathered, cursor);
}

/** In halves, until each fits: what hardly packs (noise) needs more parts. */
function* fitting(items: readonly Numbered[], from: Cursor): Generator<PackedPart> {
  const text = render(items);
  const packed = text.length < PLAIN_BYTES ? undefined : gzipSync(text).toString('base64');
  if (packed !== undefined && packed.length > MOST_PACKED_BYTES && items.length > 1) {
    const middle = Math.floor(items.length / 2);
    const first = [...fitting(items.slice(0, middle), from)];
    yield* first;
    yield* fitting(items.slice(middle), first.at(-1)?.next ?? from);
    return;
  }
  yield {
    payload:
      packed === undefined
        ? { encoding: 'json', data: JSON.parse(text) as unknown }
        : { encoding: 'gzip+base64', data: packed },
    items: items.length,
    // Less one: brackets stand once around the whole answer, and a comma between two parts.
    bytes: Buffer.byteLength(text) - 1,
    next: items.reduce((cursor, item) => behind(cursor, item), from),
  };
}

function render(items: readonly Numbered[]): string {
  const groups: { head: Item['group']; texts: string[] }[] = [];
  for (const { group, text } of items) {
    const last = groups.at(-1);
    if (last !== undefined && last.head?.series === group?.series) last.texts.push(text);
    else groups.push({ head: group, texts: [text] });
  }
  const rendered = groups.map(({ head, texts }) =>
    head === undefined
      ? texts.join(',')
      : `{"series":${JSON.stringify(head.series)}${head.unit === undefined ? '' : `,"unit":${JSON.stringify(head.unit)}`},"points":[${texts.join(',')}]}`,
  );
  return `[${rendered.join(',')}]`;
}
