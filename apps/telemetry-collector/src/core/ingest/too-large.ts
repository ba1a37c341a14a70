/** What is said of such a number. */
export const TOO_LARGE =
  'is a larger number than can be kept (1.7e308 is about the largest): send it as a text';

/** Where in a value that came as JSON a number stands that is none any more, such as 1e400: as JSON again it would be null. */
export function tooLargeIn(value: unknown, place: string): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : place;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [name, member] of Object.entries(value)) {
    const found = tooLargeIn(member, `${place}.${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
