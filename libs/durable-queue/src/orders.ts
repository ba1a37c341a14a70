import { jsonOf } from '@bowline/record-store';
import type { StoredRecords } from './draft.ts';
import type { OrderRecord, RecentRecord } from './journal.ts';
import { keysOf, orderKey, recentKey } from './keys.ts';
import type { JournalEntry } from './queue.ts';

/**
 * The entry of an order. One that is damaged still exists, or its order would run a second time: it reads as
 * `indeterminate`.
 */
export function readOrder(stored: StoredRecords, orderId: string): JournalEntry | undefined {
  const key = orderKey(orderId);
  const record = stored.get(key);
  if (record === undefined) return undefined;
  return jsonOf<OrderRecord>(key, record)?.entry ?? damagedOrder(orderId);
}

/** Orders that have not ended, by seq. */
export function readUnfinished(stored: StoredRecords): JournalEntry[] {
  const { from, to } = keysOf('unfinished');
  const entries: JournalEntry[] = [];
  for (const { key, record } of stored.range(from, to)) {
    const orderId = jsonOf<string>(key, record);
    const entry = orderId === undefined ? undefined : readOrder(stored, orderId);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

/** Newest first. */
export function readRecent(stored: StoredRecords, limit: number): JournalEntry[] {
  const { from } = keysOf('recent');
  const entries: JournalEntry[] = [];
  for (const { key, record } of stored.rangeDown(recentKey(Number.MAX_SAFE_INTEGER), from)) {
    if (entries.length >= limit) break;
    const orderId = jsonOf<RecentRecord>(key, record)?.orderId;
    const entry = orderId === undefined ? undefined : readOrder(stored, orderId);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

/** What stands for an entry that cannot be read. */
export function damagedOrder(orderId: string): JournalEntry {
  return {
    orderId,
    seq: 0,
    type: 'command',
    payloadJson: '{}',
    status: 'indeterminate',
    attempt: 0,
    receivedAt: 0,
    error: { code: 'journal-damaged', message: 'the journal entry of this order cannot be read' },
  };
}
