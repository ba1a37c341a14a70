import { InvalidArgumentError } from 'commander';
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

/** Options that were not given are not part of a wish. */
export const withoutUndefined = <T extends object>(fields: T) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
