import { readdirSync } from 'node:fs';
import { hasCode } from '@bowline/runtime/errors';

/** Open shells: the broker keeps a folder `session-ID` for each in its run folder. */
export function sshSessions(runFolder: string | undefined): number {
  if (runFolder === undefined) return 0;
  try {
    return readdirSync(runFolder).filter((name) => name.startsWith('session-')).length;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES', 'ERR_ACCESS_DENIED')) return 0;
    throw error;
  }
}
