import { BowlineError, hasCode } from '@bowline/runtime/errors';

/** SQLite's code for a disk without room (sqlite.org/rescode.html); `syncFolder` goes through it. */
const SQLITE_FULL = 13;

/** There was no room, bytes or inodes, for what was to be written: it passes once somebody makes some. */
export function isDiskFull(error: unknown): boolean {
  if (error instanceof BowlineError) return error.code === 'no-space';
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) return true;
  return (
    hasCode(error, 'ERR_SQLITE_ERROR') && (error as Error & { errcode?: number }).errcode === SQLITE_FULL
  );
}

/** The system refused: a disk that fails, or was made read-only by that. Nothing that an update could be blamed for. */
export const isSystemError = (error: unknown): boolean =>
  hasCode(error, 'ERR_SQLITE_ERROR') || (error instanceof Error && 'syscall' in error);
