import { readdirSync, statSync, type Dirent } from 'node:fs';
import { hasCode } from '@bowline/runtime/errors';

/** What lies in a folder of commands, by name; nothing if there is no such folder. */
export function namesIn(folder: string, isCommand: (entry: Dirent) => boolean): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter(isCommand)
      .map(({ name }) => name)
      .toSorted();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Another one when the file is; cheap enough to look for each order. */
export function versionOf(file: string): unknown[] {
  const { ino, size, ctimeMs } = statSync(file, { throwIfNoEntry: false }) ?? {};
  return [ino, size, ctimeMs];
}

/** Why it cannot be used, for operators. */
export const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
