import { Type, type Static } from 'typebox';
import { Count, EpochMs, Seq } from '../primitives.ts';

/** What the outbox holds of a lane lies in [first, next), holes allowed; empty: first = next. */
export const LaneRange = Type.Object({ first: Seq, next: Seq });

export const QueueSummary = Type.Object({
  messages: Count,
  bytes: Count,
  oldestAt: Type.Optional(EpochMs),
});
export type QueueSummary = Static<typeof QueueSummary>;

/** One line of the ledger: accepted = receipted + expired + dropped + rejected + waiting (invariant 1). */
export const LedgerEntry = Type.Object({
  accepted: Count,
  receipted: Count,
  expired: Count,
  dropped: Count,
  rejected: Count,
  waiting: Count,
});
export type LedgerEntry = Static<typeof LedgerEntry>;
