export { Buckets, TIER_MS, type Aggregate } from './aggregate.ts';
export { pack, readColumns, toColumns, writeColumns } from './block.ts';
export {
  History,
  type HistoryGap,
  type HistoryOptions,
  type HistoryStats,
  type UnsentBlock,
} from './history.ts';
export { isDamage } from './sqlite-errors.ts';
export type { HistoryIncident } from './open-file.ts';
export type { Estimate } from './estimate.ts';
export type { HistoryAnswer, HistoryPoint, HistoryQuery, RawPoint } from './query.ts';
export type { Retention } from './retention.ts';
export type { Totals } from './totals.ts';
export type { Value } from './value-column.ts';
export { SCHEMA_VERSION } from './schema.ts';
