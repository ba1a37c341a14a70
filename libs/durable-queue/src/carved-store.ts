import { CarvedRecords } from '@bowline/record-store';
import { keysOf, parseSegmentKey } from './keys.ts';
import { decodeSegment } from './segment.ts';

/** What lies about in the file of a store, without segments that cannot both have been committed. */
export function carvedStore(handle: number): CarvedRecords {
  const records = new CarvedRecords(handle);
  records.drop(overlaps(records));
  return records;
}

/** A transaction that a crash cut off may have left segments behind whose seqs were given out anew afterwards. */
function overlaps(records: CarvedRecords): Buffer[] {
  const dropped: Buffer[] = [];
  let last: { key: Buffer; lane: string; last: number; commit: number } | undefined;
  const { from, to } = keysOf('segment');
  for (const { key, record } of records.range(from, to)) {
    const segment = decodeSegment(key, record);
    if (segment === undefined) continue;
    const commit = records.commitOf(key) ?? 0;
    const here = { key, lane: parseSegmentKey(key).lane ?? '', last: segment.last, commit };
    if (last === undefined || last.lane !== here.lane || segment.first > last.last) last = here;
    else if (here.commit < last.commit) dropped.push(key);
    else {
      dropped.push(last.key);
      last = here;
    }
  }
  return dropped;
}
