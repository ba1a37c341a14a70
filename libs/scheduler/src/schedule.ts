import { Cron } from 'croner';
import { ConfigError } from '@bowline/runtime/errors';

/** When a job is due: at the moments of a cron expression, in the device's time zone, or at an interval. */
export type Schedule = { cron: string } | { everyMs: number };

/**
 * The next moment after `afterMs`, epoch milliseconds; undefined if there never is one (30 February).
 *
 * @param lastMs when the job began last: what an interval counts from.
 * @throws ConfigError `schedule-invalid`
 */
export function nextMoment(
  schedule: Schedule,
  afterMs: number,
  lastMs: number | undefined,
): number | undefined {
  if ('cron' in schedule) return parse(schedule.cron).nextRun(new Date(afterMs))?.getTime();
  // Never in the past, nor further away than one interval: the clock may have been set back since.
  const { everyMs } = schedule;
  const due = (lastMs ?? afterMs) + everyMs;
  return Math.min(Math.max(due, afterMs), afterMs + everyMs);
}

/** @throws ConfigError `schedule-invalid` */
export function checkSchedule(schedule: Schedule): void {
  if ('cron' in schedule) parse(schedule.cron);
}

function parse(expression: string): Cron {
  try {
    return new Cron(expression, { paused: true });
  } catch (cause) {
    throw new ConfigError(
      'schedule-invalid',
      `"${expression}" is no cron expression ("minute hour day month weekday", such as "30 3 * * *"): ${(cause as Error).message}`,
      { cause },
    );
  }
}

export const inWords = (schedule: Schedule): string =>
  'cron' in schedule ? schedule.cron : `every ${schedule.everyMs / 1000} s`;
