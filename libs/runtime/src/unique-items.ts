import type { FuncKeywordDefinition } from 'ajv';
import { sortedJson } from './hash.ts';
import type { StepLimit } from './step-limit.ts';

/** `uniqueItems` in a time that grows with the length of the list: ajv's own compares each of its objects with each other. */
export function uniqueItems(limit: StepLimit): FuncKeywordDefinition {
  return {
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    error: { message: 'must NOT have duplicate items' },
    errors: false,
    validate: (isWanted: boolean, items: unknown[]) => {
      if (!isWanted) return true;
      const known = new Set<string>();
      for (const item of items) {
        const text = sortedJson(item);
        limit.take(1 + text.length / 8);
        if (known.has(text)) return false;
        known.add(text);
      }
      return true;
    },
  };
}
