import { foldersOf } from './manifest.ts';
import type { ReleaseManifest } from './manifest-schema.ts';

/** Two names of one folder that some file systems take for one. */
export type Twins = readonly [string, string];

/** The same for names that differ only in case, or in how Unicode writes them. */
const folded = (name: string): string => name.normalize('NFD').toUpperCase().toLowerCase().normalize('NFC');

/** The first such two of these names. */
export function twinsAmong(names: Iterable<string>): Twins | undefined {
  const seen = new Map<string, string>();
  for (const name of names) {
    const before = seen.get(folded(name));
    if (before !== undefined && before !== name) return [before, name];
    seen.set(folded(name), name);
  }
  return undefined;
}

/** Of a whole release, as paths; two for each folder that has any. */
export function twinsOf(manifest: ReleaseManifest): Twins[] {
  const { files, links = [] } = manifest;
  const byFolder = new Map<string, string[]>();
  for (const path of [...foldersOf(manifest), ...files.map(pathOf), ...links.map(pathOf)]) {
    const slash = path.lastIndexOf('/') + 1;
    const names = byFolder.get(path.slice(0, slash)) ?? [];
    byFolder.set(path.slice(0, slash), names);
    names.push(path.slice(slash));
  }
  return [...byFolder].flatMap(([folder, names]) => {
    const twins = twinsAmong(names);
    return twins === undefined ? [] : [[folder + twins[0], folder + twins[1]] as const];
  });
}

const pathOf = ({ path }: { path: string }) => path;
