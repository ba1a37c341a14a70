import type { MaintenanceWindow } from '@bowline/identity/policy';
import { Cron } from 'croner';

/**
 * When the window opens that is open, or that comes next: a moment that is past means that one is open.
 *
 * @param timeZone IANA name; default the device's.
 * @returns epoch milliseconds; undefined where there are no windows: any time will do.
 * @throws TypeError for a pattern that is none; RangeError for a time zone that nobody knows.
 */
export function windowOpensAt(
  windows: readonly MaintenanceWindow[] | undefined,
  nowMs: number,
  timeZone?: string,
): number | undefined {
  if (windows === undefined || windows.length === 0) return undefined;
  const opens = windows.map((window) => nextOpening(window, nowMs, timeZone));
  return Math.min(...opens);
}

/** The same; a policy whose windows or zone cannot be read has none that opens: nothing is switched until it is mended. */
export function safeWindowOpensAt(...args: Parameters<typeof windowOpensAt>): number | undefined {
  try {
    return windowOpensAt(...args);
  } catch {
    return Infinity;
  }
}

/** One that began less than its length ago is open still; so the search begins that much earlier. */
function nextOpening({ opens, minutes }: MaintenanceWindow, nowMs: number, timeZone?: string): number {
  const cron = new Cron(opens, { mode: '5-part', ...(timeZone === undefined ? {} : { timezone: timeZone }) });
  // `nextRun` is strictly later than where it begins, by whole seconds.
  const next = cron.nextRun(new Date(nowMs - minutes * 60_000));
  return next?.getTime() ?? Infinity;
}
