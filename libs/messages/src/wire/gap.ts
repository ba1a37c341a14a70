import { Type, type Static } from 'typebox';
import { GAP_REASONS } from '../names.ts';
import { Count, EpochMs, LaneName, Name, Seq } from '../primitives.ts';

/** Exactly which messages will never come: one run of seqs, or samples thinned before they had a seq. */
export const Gap = Type.Object({
  lane: LaneName,
  from: Type.Optional(Seq),
  to: Type.Optional(Seq),
  count: Count,
  reason: Type.Enum([...GAP_REASONS]),
  series: Type.Optional(Name),
  fromAt: Type.Optional(EpochMs),
  toAt: Type.Optional(EpochMs),
});
export type Gap = Static<typeof Gap>;
