import type { JournalEntry } from '@bowline/durable-queue';
import { isTerminal, type AckStatus } from '@bowline/messages';
import { RejectedError } from '@bowline/runtime/errors';

export type OrderStatus = JournalEntry['status'];

/** Protocol, section 4: received → started → ended, with `started → started` for a further attempt. */
const NEXT: Partial<Record<OrderStatus, readonly AckStatus[]>> = {
  received: ['started', 'rejected', 'expired', 'cancelled'],
  started: ['started', 'succeeded', 'failed', 'cancelled', 'indeterminate'],
};

export interface OrderReport {
  status: OrderStatus;
  /** Epoch milliseconds. */
  at: number;
  /** With `started`: the attempt that it begins, so that a repeat after a lost answer is not counted twice. */
  attempt?: number;
  result?: unknown;
  error?: { code: string; message: string };
}

/**
 * An order's next journal entry, or undefined if the report only repeats how it ended (a lost answer).
 *
 * @throws RejectedError `bad-transition`
 */
export function applyReport(
  entry: JournalEntry,
  report: OrderReport,
  bootId: string,
): JournalEntry | undefined {
  const repeated = report.status === 'started' ? report.attempt === entry.attempt : isTerminal(entry.status);
  if (repeated && entry.status === report.status) return undefined;
  if (!NEXT[entry.status]?.includes(report.status)) {
    throw new RejectedError(
      'bad-transition',
      `order ${entry.orderId} is ${entry.status}: it cannot become ${report.status}`,
    );
  }
  return {
    ...entry,
    status: report.status,
    ...(report.status === 'started' ? { attempt: entry.attempt + 1, startedBootId: bootId } : {}),
    ...(isTerminal(report.status) ? { endedAt: report.at } : {}),
    ...(report.result === undefined ? {} : { resultJson: JSON.stringify(report.result) }),
    ...(report.error === undefined ? {} : { error: report.error }),
  };
}
