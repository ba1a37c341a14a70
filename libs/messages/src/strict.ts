import type { TSchema } from 'typebox';

/**
 * The same schema, but an unknown member anywhere in it is an error. For what we send ourselves: a receiver must ignore
 * what it does not know, so a misspelt optional field would otherwise vanish in silence.
 */
export function strict(schema: TSchema): TSchema {
  return close(schema) as TSchema;
}

function close(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(close);
  if (typeof node !== 'object' || node === null) return node;
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, close(value)]));
  if (copy['type'] === 'object' && copy['properties'] !== undefined && !('additionalProperties' in copy)) {
    copy['additionalProperties'] = false;
  }
  return copy;
}
