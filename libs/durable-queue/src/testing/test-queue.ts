import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUIDv7 } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { openQueue } from '../open-queue.ts';
import type { DurableQueue, JournalEntry, NewMessage, QueueOptions } from '../queue.ts';

/** A folder that is gone when the test has ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bowline-queue-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function openTestQueue(
  options: Partial<QueueOptions> & { folder: string },
): Promise<DurableQueue> {
  const queue = await openQueue({ wallMs: () => 1_800_000_000_000, ...options });
  let closed: Promise<void> | undefined;
  const close = queue.close.bind(queue);
  queue.close = () => (closed ??= close());
  onTestFinished(() => queue.close());
  return queue;
}

let counted = 0;
export function message(type = 'telemetry', payload: object = { n: (counted += 1) }): NewMessage {
  return {
    id: randomUUIDv7(),
    type,
    sentAt: 1_700_000_000_000 + counted,
    payloadJson: JSON.stringify(payload),
  };
}
export const messages = (count: number, type = 'telemetry'): NewMessage[] =>
  Array.from({ length: count }, () => message(type));

export function order(entry: Partial<JournalEntry> = {}): JournalEntry {
  return {
    orderId: randomUUIDv7(),
    seq: (counted += 1),
    type: 'command',
    payloadJson: '{"name":"ping","params":{}}',
    status: 'received',
    attempt: 0,
    receivedAt: 1_700_000_000_000,
    ...entry,
  };
}

/** The ledger must add up, whatever happened. */
export function ledgerHolds(queue: DurableQueue): boolean {
  return Object.values(queue.ledger()).every(
    ({ accepted, receipted, expired, dropped, rejected, waiting }) =>
      accepted === receipted + expired + dropped + rejected + waiting,
  );
}

export const NO_LIMIT = { messages: 1e9, bytes: 1e12 };
