import { ContractError } from '@bowline/runtime';

/** `?limit=`: how many, at most `most`. */
export function limitOf(text: string | undefined, fallback: number, most: number): number {
  if (text === undefined) return fallback;
  const limit = wholeNumber(text, 'limit');
  if (limit < 1) throw new ContractError('invalid', 'limit must be at least 1');
  return Math.min(limit, most);
}

/** A whole number, e.g. epoch milliseconds. */
export const countOf = (text: string | undefined, name: string): number | undefined =>
  text === undefined ? undefined : wholeNumber(text, name);

function wholeNumber(text: string, name: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new ContractError('invalid', `${name} must be a whole number`);
  }
  return value;
}
