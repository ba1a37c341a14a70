import type { DatabaseSync } from 'node:sqlite';
import type { Sample } from '@bowline/messages';
import { Buckets, TIER_MS } from './aggregate.ts';
import { toColumns, toSamples } from './block.ts';
import type { BlockHead, Blocks } from './blocks.ts';
import { numberOf, sizeOf } from './schema.ts';
import type { SeriesTable } from './series-table.ts';
import { addTotals } from './totals.ts';
import { unsureBehind } from './unsure-times.ts';

/** How long, milliseconds, and how much, bytes. */
export interface Retention {
  rawMs: number;
  minutesMs: number;
  hoursMs: number;
  /** Of the file. */
  maxBytes: number;
}

export interface RetentionParts {
  database: DatabaseSync;
  blocks: Blocks;
  series: SeriesTable;
}

/** Blocks that go in one transaction. */
const AT_ONCE = 64;
/** Above this share of the limit room is made: what goes on being written meanwhile needs some. */
export const FULL_SHARE = 0.85;

/** One step of what makes room, within the caller's transaction; false: there was nothing to do. */
export function pruneByAge(
  parts: RetentionParts,
  { rawMs, minutesMs, hoursMs }: Retention,
  nowMs: number,
): boolean {
  const ages = [rawMs, minutesMs, hoursMs] as const;
  const unsure = unsureBehind(parts.database);
  const old = ages.flatMap((ageMs, tier) =>
    parts.blocks.endedBefore(tier as 0 | 1 | 2, nowMs - ageMs, { limit: AT_ONCE, unsure }),
  );
  dropAll(parts, old);
  return old.length > 0;
}

/**
 * As {@link pruneByAge}, while the file is nearly full. What others have goes first, oldest first; what only we have is thinned
 * to one average a minute, then the minutes go, and only then what was thinned, and the hours.
 */
export function pruneBySize(parts: RetentionParts, { maxBytes }: Retention, share: number): boolean {
  const { blocks } = parts;
  if (sizeOf(parts.database).usedBytes <= share * maxBytes) return false;
  const sent = blocks.oldest(0, 0, AT_ONCE);
  if (sent.length > 0) return dropAll(parts, sent);
  const unsent = blocks.oldest(0, 1, AT_ONCE);
  if (unsent.length > 0) return thinAll(parts, unsent);
  for (const rest of [
    blocks.oldest(1, 0, AT_ONCE),
    blocks.oldest(0, 2, AT_ONCE),
    blocks.oldest(2, 0, AT_ONCE),
  ]) {
    if (rest.length > 0) return dropAll(parts, rest);
  }
  return false;
}

/** Of the series that there may be, how many are kept once there are that many. */
const SERIES_SHARE = 0.9;

/**
 * Series of which nothing is left are forgotten. When there are as many as there may be, those with the fewest samples make room,
 * the oldest first: names that were made up have few, a sensor has many. What only we have stays.
 */
export function pruneSeries({ database, series }: RetentionParts, most: number): void {
  // What is pending names series by their numbers.
  if (numberOf(database, 'SELECT count(*) FROM pending') > 0) return;
  const empty = database.prepare('SELECT id FROM series WHERE id NOT IN (SELECT series FROM blocks)').all();
  for (const { id } of empty) series.forget(Number(id));
  if (series.size < most) return;
  const smallest = database
    .prepare(
      `SELECT series AS id FROM blocks GROUP BY series HAVING max(unsent) = 0
         ORDER BY sum(CASE tier WHEN 0 THEN samples ELSE 0 END), max(last_at) LIMIT ?`,
    )
    .all(series.size - Math.floor(SERIES_SHARE * most));
  for (const { id } of smallest) {
    database.prepare('DELETE FROM blocks WHERE tier IN (0, 1, 2) AND series = ?').run(id as number);
    series.forget(Number(id));
  }
  database.exec('DELETE FROM uneven WHERE id NOT IN (SELECT id FROM blocks)');
}

function dropAll(parts: RetentionParts, heads: readonly BlockHead[]): true {
  for (const head of heads) drop(parts, head);
  return true;
}

/** A block goes; what only we had of it is said to be given up. */
export function drop(parts: RetentionParts, head: BlockHead): void {
  parts.blocks.remove(head.id);
  if (head.unsent > 0) giveUp(parts, head, head.samples);
}

function thinAll(parts: RetentionParts, heads: readonly BlockHead[]): true {
  for (const head of heads) thin(parts, head);
  return true;
}

/** One sample a minute is left, which stands for all of its minute (protocol, section 5); of texts and truth values the last one of each minute. */
function thin(parts: RetentionParts, head: BlockHead): void {
  const columns = parts.blocks.samplesOf(head);
  if (columns === undefined) {
    addTotals(parts.database, { damagedBlocks: 1 });
    return drop(parts, head);
  }
  const kept = thinned(toSamples(parts.series.name(head.series), columns));
  parts.blocks.remove(head.id);
  parts.blocks.addSamples(head.series, toColumns(kept), 2);
  giveUp(parts, head, head.samples - kept.length);
}

export function thinned(samples: readonly Sample[]): Sample[] {
  const buckets = new Buckets(TIER_MS[0]);
  for (const sample of samples) buckets.addSample(sample);
  const minutes = new Map(buckets.sorted().map((each) => [each.at, each]));
  const kept = new Map<number, Sample>();
  for (const sample of samples) {
    const minute = sample.at - (sample.at % TIER_MS[0]);
    const joined = minutes.get(minute);
    if (typeof sample.value !== 'number' || joined === undefined) kept.set(minute, sample);
    else {
      const { avg: value, count, min, max } = joined;
      kept.set(minute, { ...sample, value, count, min, max });
    }
  }
  return [...kept.values()];
}

function giveUp(
  { database, series }: RetentionParts,
  { series: id, firstAt, lastAt }: BlockHead,
  count: number,
): void {
  if (count > 0) noteGap(database, { series: series.name(id), count, fromAt: firstAt, toAt: lastAt });
}

/** Beyond so many entries the rest is one. */
const MOST_GAPS = 1000;

/**
 * Noted in the transaction in which it happens; told later by `gap`. One entry a series, until it is being told.
 *
 * @param series empty if nobody can say.
 */
export function noteGap(
  database: DatabaseSync,
  { series, count, fromAt, toAt }: { series: string; count: number; fromAt: number; toAt: number },
): void {
  const known = database.prepare('SELECT id FROM gaps WHERE series = ? AND message_id IS NULL').get(series);
  if (known === undefined && series !== '' && numberOf(database, 'SELECT count(*) FROM gaps') >= MOST_GAPS)
    return noteGap(database, { series: '', count, fromAt, toAt });
  if (known === undefined) {
    database
      .prepare('INSERT INTO gaps (series, count, from_at, to_at) VALUES (?, ?, ?, ?)')
      .run(series, count, fromAt, toAt);
  } else {
    database
      .prepare(
        'UPDATE gaps SET count = count + ?, from_at = min(from_at, ?), to_at = max(to_at, ?) WHERE id = ?',
      )
      .run(count, fromAt, toAt, known['id'] as number);
  }
  addTotals(database, { unsentGivenUp: count });
}
