import { type Chunk, copyRange, jsonOf, jsonRecord, type SourceRecords } from '@bowline/record-store';
import { hasEnded, type OrderRecord, type RecentRecord } from './journal.ts';
import { keysOf, numberOfKey, orderKey, recentKey, unfinishedKey } from './keys.ts';
import { damagedOrder } from './orders.ts';
import type { StoreState } from './state.ts';

/**
 * Copies the journal and makes its indexes anew. An entry that cannot be read, but whose id is known from an index or from
 * its key, is kept as `indeterminate`: forgotten, the order would run a second time.
 *
 * @param state its counts of the journal are set to what was copied.
 */
export async function rebuildJournal(
  from: SourceRecords,
  chunk: Chunk,
  state: StoreState,
  newAckSeq: (ackSeq: number) => number,
): Promise<void> {
  const { commit, age } = state;
  const journal = { next: state.journal.next, entries: 0, unfinished: 0, bytes: 0 };

  const put = ({ number, entry }: OrderRecord): void => {
    const known = recordOf<RecentRecord>(from, recentKey(number));
    const before = known?.orderId === entry.orderId ? known : undefined;
    const ended = hasEnded(entry);
    const recent: RecentRecord = {
      orderId: entry.orderId,
      ended,
      ackSeq: newAckSeq(before?.ackSeq ?? 0),
      ...(ended ? { endedAgeMs: before?.endedAgeMs ?? age.ms } : {}),
      ...(entry.expiresAt === undefined ? {} : { expiresAt: entry.expiresAt }),
    };
    const write = (key: Buffer, value: unknown): number => {
      const record = jsonRecord(key, value, commit);
      chunk.put(key, record);
      return record.length;
    };
    journal.bytes += write(orderKey(entry.orderId), { number, entry });
    write(recentKey(number), recent);
    if (!ended) write(unfinishedKey(entry.seq, number), entry.orderId);
    journal.entries += 1;
    journal.unfinished += Number(!ended);
    journal.next = Math.max(journal.next, number + 1);
  };

  const damaged = new Set<string>();
  const orders = keysOf('order');
  await copyRange(from, orders.from, orders.to, chunk, (key, record) => {
    const order = jsonOf<OrderRecord>(key, record);
    if (order === undefined) damaged.add(key.subarray(1).toString());
    else put(order);
  });
  const recents = keysOf('recent');
  await copyRange(from, recents.from, recents.to, chunk, (key, record) => {
    const recent = jsonOf<RecentRecord>(key, record);
    if (recent === undefined || recordOf<OrderRecord>(from, orderKey(recent.orderId)) !== undefined) return;
    damaged.delete(recent.orderId);
    put({ number: numberOfKey(key), entry: damagedOrder(recent.orderId) });
  });
  for (const orderId of damaged) put({ number: journal.next, entry: damagedOrder(orderId) });
  state.journal = journal;
}

function recordOf<T>(from: SourceRecords, key: Buffer): T | undefined {
  const record = from.get(key);
  return record === undefined ? undefined : jsonOf<T>(key, record);
}
