import { statSync } from 'node:fs';
import { Environment, type EnvironmentOptions, type StoreFiles } from '@bowline/record-store';
import type { DiskRoom } from './disk-room.ts';
import { inspect } from './inspect.ts';
import { LANES } from './lanes.ts';
import { stateOnly, type StoreState } from './state.ts';

const MIB = 2 ** 20;

/** When the file is worth making anew; while it is copied nothing is written. */
export interface CompactionLimits {
  /** A file below this is left alone, bytes. */
  smallestFile: number;
  /** So is one that is not this many times what it holds. */
  factor: number;
  /** And one that holds more than this, bytes: copying takes too long. */
  largestContent: number;
}

export const DEFAULT_COMPACTION: CompactionLimits = {
  smallestFile: 32 * MIB,
  factor: 4,
  largestContent: 64 * MIB,
};

/** What the store holds, about, in bytes. */
export const contentBytes = ({ lanes, dead, journal }: StoreState): number =>
  LANES.reduce((sum, lane) => sum + lanes[lane].bytes, dead.bytes + journal.bytes);

export function isWorthwhile(
  files: StoreFiles,
  state: StoreState,
  room: DiskRoom,
  limits: CompactionLimits,
): boolean {
  const file = statSync(files.current).size;
  const content = contentBytes(state);
  return (
    file >= limits.smallestFile &&
    file >= limits.factor * content &&
    content <= limits.largestContent &&
    room.admits('history', 2 * content)
  );
}

/**
 * LMDB never makes its file smaller: copies what it holds into a new one, and reads that to the end before it may take the
 * other's place.
 *
 * @returns the new environment, open; undefined if the copy did not succeed, which leaves everything as it was.
 */
export async function compactInto(
  env: Environment,
  files: StoreFiles,
  state: StoreState,
  options: EnvironmentOptions,
): Promise<Environment | undefined> {
  files.removeNext();
  try {
    await env.copyTo(files.next);
    await touch(files.next, state, options);
    if ((await inspect(files.next)).verdict === 'sound') return Environment.open(files.next, options);
  } catch {
    // A disk that fills up meanwhile, as a rule: the store itself is untouched, and it is tried again another time.
  }
  files.removeNext();
  return undefined;
}

/** A copy has used only one of its root pages; after one more transaction it looks like any other store. */
async function touch(file: string, state: StoreState, options: EnvironmentOptions): Promise<void> {
  const copy = Environment.open(file, options);
  try {
    await copy.commit(stateOnly(state));
  } finally {
    await copy.close();
  }
}
