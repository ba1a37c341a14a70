import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readJsonIfPresent, writeFileDurably } from '@bowline/runtime';
import type { LogUploadOptions, UploadState } from './log-upload.ts';

/** A small file for each job. A spoilt one begins anew: a day comes twice rather than not at all. */
export function uploadStates(folder: string): (name: string) => LogUploadOptions['state'] {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return (name) => {
    const file = join(folder, `${name}.json`);
    return {
      read: () => {
        const value = readJsonIfPresent(file) as Partial<UploadState> | null | undefined;
        return typeof value?.cursor?.at === 'number' ? (value as UploadState) : undefined;
      },
      write: (state) => writeFileDurably(file, JSON.stringify(state)),
    };
  };
}
