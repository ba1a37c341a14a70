import { timeOfDay } from './format.ts';

export interface LogRecord {
  time: string;
  level: string;
  message: string;
  /** What is left, as `key=value`. */
  fields: string;
}

/** Left out for people: the app is known, the rest is the same in each line. */
const KNOWN = new Set(['time', 'level', 'message', 'app']);

/** A line of an app's log → its parts; undefined if it is not one of ours (a crash, a library that prints). */
export function parseLogLine(line: string): LogRecord | undefined {
  if (!line.startsWith('{')) return undefined;
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { time, level, message } = record;
  const at = typeof time === 'string' || typeof time === 'number' ? new Date(time).getTime() : Number.NaN;
  return {
    time: Number.isNaN(at) ? '            ' : timeOfDay(at),
    level: typeof level === 'string' ? level : '',
    message: typeof message === 'string' ? message : '',
    fields: Object.entries(record)
      .filter(([key]) => !KNOWN.has(key))
      .map(([key, value]) => `${key}=${typeof value === 'string' ? quoted(value) : JSON.stringify(value)}`)
      .join(' '),
  };
}

const quoted = (text: string): string => (/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text));
