import { backoffMs } from '@bowline/runtime';
import type { Job } from './job.ts';
import type { RunRecord } from './run-records.ts';
import { inWords, nextMoment } from './schedule.ts';

/**
 * The wall clock is looked at this often, milliseconds: it may have been set, and timers stand still while a machine sleeps.
 * A moment that is over by more than twice as much was missed.
 */
export const LOOK_EVERY_MS = 30_000;
/** A run that failed or was cut off is tried again before the next moment, with backoff from a minute to an hour. */
const RETRY = { minMs: 30_000, baseMs: 60_000, capMs: 3_600_000 };

export interface Now {
  nowMs: number;
  /** In [0, 1). */
  random(): number;
}

/**
 * The record with the moment from which its moments count: when the job was first set, or set to another schedule. Kept, because
 * a device that is switched off every night would otherwise begin to count anew each morning.
 */
export function countedSince(record: RunRecord, { schedule }: Job, nowMs: number): RunRecord {
  const words = inWords(schedule);
  const { since, startedAt = nowMs } = record;
  if (since === undefined) return { ...record, schedule: words, since: Math.min(startedAt, nowMs) };
  if (record.schedule === words && since <= nowMs) return record;
  return { ...record, schedule: words, since: nowMs };
}

/** The next moment of a job, jitter included; undefined if there never is one. */
export function nextOf(job: Job, record: RunRecord, { nowMs, random }: Now): number | undefined {
  const next = nextMoment(job.schedule, nowMs, baseOf(record, nowMs));
  return next === undefined ? undefined : next + random() * job.jitterMs;
}

/**
 * When a job that nobody has in hand is due after a start of the app: at its next moment, earlier if one was missed or the last
 * run came to nothing. `leave-out`: what was missed is not to be made up for.
 */
export function firstOf(job: Job, record: RunRecord, now: Now): number | 'leave-out' | undefined {
  const { nowMs, random } = now;
  const base = baseOf(record, nowMs);
  const due = nextMoment(job.schedule, base, base) ?? Infinity;
  const again = record.fruitless === 0 ? Infinity : retryAt(record.fruitless, now);
  if (due > nowMs) return earliest(nextOf(job, record, now), again);
  // Up to the end of its jitter it is not missed.
  const isLate = nowMs - due > job.jitterMs + 2 * LOOK_EVERY_MS;
  if (isLate && job.missed === 'skip') return again === Infinity ? 'leave-out' : again;
  return Math.min(again, nowMs + random() * job.jitterMs);
}

/** @param fruitless runs in a row that came to nothing, the last one included. */
export const retryAt = (fruitless: number, { nowMs, random }: Now): number =>
  nowMs + backoffMs(fruitless - 1, random(), RETRY);

export const earliest = (one: number | undefined, other: number): number | undefined =>
  one === undefined && other === Infinity ? undefined : Math.min(one ?? Infinity, other);

/** What an interval counts from. A moment ahead of us is of a clock that was wrong. */
const baseOf = ({ startedAt, since }: RunRecord, nowMs: number): number => {
  const known = [startedAt, since].filter((at): at is number => at !== undefined && at <= nowMs);
  return known.length === 0 ? nowMs : Math.max(...known);
};
