/** What is said of such a number. */
export const TOO_LARGE =
  'is a larger number than can be kept (1.7e308 is about the largest): send it as a text';

/** A number that is none any more once it came as JSON, such as 1e400: as JSON again it would be null. */
export const isTooLarge = (value: unknown): boolean => typeof value === 'number' && !Number.isFinite(value);

/** Where in a value, which must not nest deeply, such a number stands. */
export function tooLargeIn(value: unknown, place: string): string | undefined {
  if (isTooLarge(value)) return place;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [name, member] of Object.entries(value)) {
    const found = tooLargeIn(member, `${place}.${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
