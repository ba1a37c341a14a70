import type { Draft } from './draft.ts';
import { numberOfKey, orderKey, recentKey, unfinishedKey } from './keys.ts';
import { EVICTIONS_PER_COMMIT, JOURNAL_KEEP_MS } from './limits.ts';
import type { JournalEntry } from './queue.ts';

/** A journal entry as it is stored. */
export interface OrderRecord {
  /** Its place in the order of arrival. */
  number: number;
  entry: JournalEntry;
}

/** What an eviction needs to know of an entry, stored by its number so that the oldest come first. */
export interface RecentRecord {
  orderId: string;
  ended: boolean;
  /** Seq of its last ack in `results`. */
  ackSeq: number;
  /** Age of the store when it ended. */
  endedAgeMs?: number;
  expiresAt?: number;
}

/** Whether an order in this state needs nothing more. */
export const hasEnded = ({ status }: JournalEntry): boolean => status !== 'received' && status !== 'started';

/** @param ackSeq seq of the last ack that the same commit put into `results`, if any. */
export function putOrder(draft: Draft, entry: JournalEntry, ackSeq: number | undefined): void {
  const { journal } = draft.state;
  const known = draft.getJson<OrderRecord>(orderKey(entry.orderId));
  const number = known?.number ?? journal.next;
  const before = known === undefined ? undefined : draft.getJson<RecentRecord>(recentKey(number));
  const ended = hasEnded(entry);

  if (known === undefined) {
    journal.next += 1;
    journal.entries += 1;
  }
  const wasOpen = known !== undefined && !hasEnded(known.entry);
  if (wasOpen && (ended || known.entry.seq !== entry.seq)) {
    draft.remove(unfinishedKey(known.entry.seq, number));
  }
  if (!ended) draft.putJson(unfinishedKey(entry.seq, number), entry.orderId);
  journal.unfinished += Number(!ended) - Number(wasOpen);

  const endedAgeMs = ended ? (before?.endedAgeMs ?? draft.ageMs) : undefined;
  const record: RecentRecord = {
    orderId: entry.orderId,
    ended,
    ackSeq: ackSeq ?? before?.ackSeq ?? 0,
    ...(endedAgeMs === undefined ? {} : { endedAgeMs }),
    ...(entry.expiresAt === undefined ? {} : { expiresAt: entry.expiresAt }),
  };
  draft.putJson(recentKey(number), record);
  const key = orderKey(entry.orderId);
  journal.bytes -= draft.get(key)?.length ?? 0;
  journal.bytes += draft.putJson(key, { number, entry } satisfies OrderRecord);
}

/**
 * Removes the oldest entries that may go: ended, their terminal ack receipted, and past `expiresAt`, or ended 7 days ago
 * (protocol, section 4).
 *
 * @returns how many went.
 */
export function evictOrders(draft: Draft): number {
  const { journal, lanes } = draft.state;
  let evicted = 0;
  for (const { key } of draft.stored('recent')) {
    const record = draft.getJson<RecentRecord>(key);
    if (record === undefined || !mayGo(record, draft, lanes.results.first)) continue;
    draft.remove(key);
    const order = draft.getJson<OrderRecord>(orderKey(record.orderId));
    if (order?.number === numberOfKey(key)) {
      journal.bytes -= draft.get(orderKey(record.orderId))?.length ?? 0;
      draft.remove(orderKey(record.orderId));
    }
    journal.entries -= 1;
    evicted += 1;
    if (evicted === EVICTIONS_PER_COMMIT) break;
  }
  return evicted;
}

function mayGo(record: RecentRecord, { now, ageMs }: Draft, firstWaiting: number): boolean {
  if (!record.ended || record.ackSeq >= firstWaiting) return false;
  if (record.expiresAt !== undefined && now.serverMs !== undefined && now.serverMs > record.expiresAt)
    return true;
  return ageMs - (record.endedAgeMs ?? ageMs) >= JOURNAL_KEEP_MS;
}
