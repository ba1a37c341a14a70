/** Reading of JSON as OTLP writes it: nothing is there for certain, 64-bit numbers may be texts (proto3 JSON mapping). */
export type Json = Record<string, unknown>;

export const objectIn = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};

export const listIn = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** A number that JSON can hold, or undefined. */
export function numberIn(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** Nanoseconds since 1970 → milliseconds; undefined if it is not known. */
export function nanosecondsIn(value: unknown): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  if (!/^\d{1,20}$/.test(String(value))) return undefined;
  const ms = Number(BigInt(value) / 1_000_000n);
  return ms > 0 ? ms : undefined;
}

/** Key and value of each attribute, sorted by key; a value that is no plain one counts as its JSON. */
export function attributesIn(value: unknown): [string, string][] {
  return listIn(value)
    .map(objectIn)
    .flatMap(({ key, value: any }): [string, string][] =>
      typeof key === 'string' ? [[key, plain(objectIn(any))]] : [],
    )
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function plain({ stringValue, intValue, doubleValue, boolValue, ...rest }: Json): string {
  const value = stringValue ?? intValue ?? doubleValue ?? boolValue ?? rest;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
