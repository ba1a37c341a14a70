import { createHash } from 'node:crypto';
import { isTree } from './tree.ts';

/** SHA-256, hex, over the JSON with sorted keys. */
export const hashOf = (value: unknown): string =>
  createHash('sha256').update(sortedJson(value)).digest('hex');

/** The same text for all that is equal as JSON. */
export const sortedJson = (value: unknown): string => JSON.stringify(sorted(value));

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isTree(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .toSorted()
      .map((name) => [name, sorted(value[name])]),
  );
}
