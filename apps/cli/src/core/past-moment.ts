import { parseDuration } from './format.ts';

/** `2h` (so long ago), `now`, or a date and time (`2026-11-25T14:00`, local where it names no zone) → epoch ms; undefined: none of them. */
export function pastMoment(text: string, nowMs: number): number | undefined {
  if (text === 'now') return nowMs;
  const ago = parseDuration(text);
  if (ago !== undefined) return nowMs - ago;
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}
