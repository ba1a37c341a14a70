import { BowlineError, hasCode } from './errors.ts';

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
