import { Cron, CronPattern } from 'croner';
import { ConfigError } from '@bowline/runtime/errors';

/** When a job is due: at the moments of a cron expression, in the device's time zone, or at an interval. */
export type Schedule = { cron: string } | { everyMs: number };

/**
 * The next moment after `afterMs`, epoch milliseconds; undefined if there never is one (30 February). When the clocks are put back,
 * a moment of an hour that comes twice is the first one of the two, unless the expression names every hour: then both.
 *
 * @param lastMs when the job began last: what an interval counts from.
 * @throws ConfigError `schedule-invalid`
 */
export function nextMoment(
  schedule: Schedule,
  afterMs: number,
  lastMs: number | undefined,
): number | undefined {
  if ('cron' in schedule) return nextByCron(schedule.cron, afterMs);
  // Never in the past, nor further away than one interval: the clock may have been set back since.
  const { everyMs } = schedule;
  const due = (lastMs ?? afterMs) + everyMs;
  return Math.min(Math.max(due, afterMs), afterMs + everyMs);
}

/**
 * Croner counts on by the clock on the wall: it passes over the second one of an hour that comes twice, and asked within it,
 * answers with the first one, which is past.
 */
function nextByCron(expression: string, afterMs: number): number | undefined {
  const next = (from: number, utcOffset?: number) =>
    parse(expression, utcOffset).nextRun(new Date(from))?.getTime();
  if (namesEveryHour(expression)) {
    const offset = offsetAt(afterMs);
    const first = next(afterMs, offset);
    if (first === undefined || offsetAt(first) === offset) return first;
    return next(afterMs, offsetAt(first));
  }
  let moment = next(afterMs);
  while (moment !== undefined && moment <= afterMs) moment = next(moment);
  return moment;
}

const namesEveryHour = (expression: string): boolean =>
  new CronPattern(expression).hour.every((isNamed) => isNamed === 1);

/** Of the device's time zone at that moment, minutes east of Greenwich. */
const offsetAt = (atMs: number): number => -new Date(atMs).getTimezoneOffset();

/** @throws ConfigError `schedule-invalid` */
export function checkSchedule(schedule: Schedule): void {
  if ('cron' in schedule) parse(schedule.cron);
}

function parse(expression: string, utcOffset?: number): Cron {
  try {
    return new Cron(expression, { paused: true, ...(utcOffset === undefined ? {} : { utcOffset }) });
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
