import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { check } from '@bowline/messages';
import { BowlineError } from '@bowline/runtime';
import { manifest as isManifest } from '../generated/backup.js';
import type { Manifest } from './manifest-schema.ts';

export type { Manifest } from './manifest-schema.ts';

export const MANIFEST = 'manifest.json';
export const STORE_COPY = 'store.mdb';
/** Of the state folder: keys, tokens, trust. */
export const STATE_COPY = 'state';
/** What of the state folder is copied as the store, belongs to the running process only, or is a backup itself. */
export const NOT_COPIED =
  /^(store|backups|lock.*|store-identity\.json|restore-unfinished|.*\.new|info\.json)$/;

/**
 * What a backup says of itself. Whoever can write to the folder of backups may have written it: no path of it leads out of
 * the state folder, or to what restoring makes itself.
 *
 * @throws Error, saying why.
 */
export function readManifest(folder: string): Manifest {
  let manifest: Manifest;
  try {
    manifest = check<Manifest>(
      isManifest,
      JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8')),
      'manifest',
    );
  } catch (error) {
    const why = error instanceof BowlineError ? error.message : String(error);
    throw new Error(`${MANIFEST} cannot be used (${why})`, { cause: error });
  }
  const paths = Object.keys(manifest.files);
  if (!paths.includes(STORE_COPY)) throw new Error(`${MANIFEST} names no ${STORE_COPY}`);
  const bad = paths.find((path) => path !== STORE_COPY && !isOfState(path));
  if (bad !== undefined) throw new Error(`${MANIFEST} names ${JSON.stringify(bad)}, which no backup has`);
  return manifest;
}

function isOfState(path: string): boolean {
  const [folder, first, ...rest] = path.split('/');
  const names = [first ?? '', ...rest];
  return (
    folder === STATE_COPY &&
    names.every((name) => !['', '.', '..'].includes(name) && !name.includes('\0')) &&
    !NOT_COPIED.test(first ?? '')
  );
}
