import type { Gap, Lane } from '@bowline/messages';
import { type Chunk, copyRange, type SourceRecords } from '@bowline/record-store';
import { segmentKey } from './keys.ts';
import { bytesOf, decodeSegment, encodeSegment, sizeOf, type Segment } from './segment.ts';
import type { StoreState } from './state.ts';
import { prepare, render, unrender } from './wire-message.ts';

/**
 * Copies what waits in a lane, numbered from 1.
 *
 * @param first old seqs below it are not copied.
 * @param renewed its counters of the lane are set to what was copied.
 * @returns of `results`, the old seqs in the order of the new ones; of the others nothing.
 */
export async function renumberLane(
  from: SourceRecords,
  chunk: Chunk,
  lane: Lane,
  first: number,
  renewed: StoreState,
): Promise<number[]> {
  const oldSeqs: number[] = [];
  const counters = Object.assign(renewed.lanes[lane], {
    first: 1,
    next: 1,
    offered: 0,
    messages: 0,
    bytes: 0,
  });
  await copyRange(
    from,
    segmentKey(lane, 0),
    segmentKey(lane, Number.MAX_SAFE_INTEGER),
    chunk,
    (key, record) => {
      const segment = decodeSegment(key, record);
      if (segment === undefined) return;
      const items: string[] = [];
      for (let seq = Math.max(first, segment.first); seq <= segment.last; seq += 1) {
        const json = renumbered(segment, seq, counters.next + items.length);
        if (json === undefined) continue;
        items.push(json);
        if (lane === 'results') oldSeqs.push(seq);
      }
      if (items.length === 0) return;
      const sizes = items.map((item) => Buffer.byteLength(item));
      const at = { ageMs: segment.ageMs, commit: renewed.commit };
      const written = encodeSegment(lane, counters.next, items, sizes, at);
      chunk.put(written.key, written.record);
      counters.next += items.length;
      counters.messages += items.length;
      counters.bytes += sizes.reduce((sum, size) => sum + size, 0);
    },
  );
  return oldSeqs;
}

function renumbered(segment: Segment, seq: number, as: number): string | undefined {
  if (sizeOf(segment, seq) === 0) return undefined;
  const message = unrender(bytesOf(segment, seq).toString());
  if (message === undefined) return undefined;
  if (message.type !== 'gap') return render(prepare(message), as);
  // The seqs that it names are those of the old epoch.
  const { from: _from, to: _to, ...gap } = JSON.parse(message.payloadJson) as Gap;
  return render(prepare({ ...message, payloadJson: JSON.stringify(gap) }), as);
}
