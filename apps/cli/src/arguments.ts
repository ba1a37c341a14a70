import { InvalidArgumentError, type Command } from 'commander';
import type { AuditMark } from '@bowline/messages';
import { parseDuration } from './core/format.ts';

/** What commands take as arguments: each says what it should have been. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** `30s` → milliseconds. */
export function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('Write it as 500ms, 30s, 10m, 2h or 7d.');
  return ms;
}

const UNITS: [number, string][] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1000, 's'],
  [1, 'ms'],
];

/** Has the help of a command, and of those below it, show default durations as they are typed. */
export function showDurations(command: Command): void {
  for (const option of command.options) {
    const ms: unknown = option.defaultValue;
    if (!option.flags.includes('<duration>') || typeof ms !== 'number') continue;
    const [width, unit] = UNITS.find(([each]) => ms % each === 0) ?? [1, 'ms'];
    option.default(ms, `${ms / width}${unit}`);
  }
  command.commands.forEach(showDurations);
}

/** Options that were not given are not part of a wish. */
export const withoutUndefined = <T extends object>(fields: T) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };

/** A place in an audit log, as its verification says it. */
export function chainMark(text: string): AuditMark {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined)
    throw new InvalidArgumentError('It must be what was to be noted, SEQ:HASH.');
  return { seq: Number(seq), hash };
}
