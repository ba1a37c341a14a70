import { readJsonIfPresent, writeFileDurably } from './files.ts';

interface Marker {
  key: string;
  id: string;
  done: boolean;
}

/**
 * Does something once for each key, across crashes and power cuts: for a new key the intent and an id for it are on disk
 * before `act`, and done after it. An act that was cut off is repeated with the same id, so that the other side knows it
 * again.
 *
 * @param file holds the last key; one that does not read counts as none.
 * @param newId makes the id for a new key.
 * @returns whether it was done now.
 */
export async function onceDurably(
  file: string,
  key: string,
  newId: () => string,
  act: (id: string) => Promise<void>,
): Promise<boolean> {
  const last = readMarker(file);
  if (last?.key === key && last.done) return false;
  const id = last?.key === key ? last.id : newId();
  const write = (done: boolean) => writeFileDurably(file, JSON.stringify({ key, id, done } satisfies Marker));
  write(false);
  await act(id);
  write(true);
  return true;
}

function readMarker(file: string): Marker | undefined {
  const value = readJsonIfPresent(file);
  if (typeof value !== 'object' || value === null) return undefined;
  const { key, id, done } = value as Record<string, unknown>;
  return typeof key === 'string' && typeof id === 'string' && typeof done === 'boolean'
    ? { key, id, done }
    : undefined;
}
