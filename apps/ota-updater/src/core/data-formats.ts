/** Of one kind of data in the device's folders: up to which version of its form a release reads, and which it writes. */
export interface DataFormat {
  reads: number;
  writes: number;
}

/** By kind of data, e.g. `store`. */
export type DataFormats = Record<string, DataFormat>;

/**
 * Why a release may not be tried: what it writes the slot before could not read, so there would be no way back
 * (docs/adr/0030). A new form takes two releases: one that reads both and writes the old, one that writes the new.
 *
 * @param next of the release; undefined: it does not say.
 * @param standing of the code that runs; undefined: it does not say, and is older than such forms.
 * @returns undefined: there is a way back.
 */
export function unreadableFormat(
  next: DataFormats | undefined,
  standing: DataFormats | undefined,
): string | undefined {
  if (next === undefined) return 'it does not say which data it writes: it is no release of Bowline';
  for (const [kind, { writes }] of Object.entries(next)) {
    const reads = standing?.[kind]?.reads;
    if (reads === undefined || writes <= reads) continue;
    return `it writes version ${writes} of the ${kind}, what runs now reads up to ${reads}: install a release in between that reads both`;
  }
  return undefined;
}
