import { hasCode } from '@bowline/runtime/errors';

/** What SQLite itself does not notice: an index that names rows which are not there. */
class DamageFound extends Error {}

export const damageFound = (what: string): Error => new DamageFound(what);

/** SQLite's result codes (sqlite.org/rescode.html), without what the extended ones add. */
const PRIMARY_CODE = 0xff;
const ERROR = 1;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

function codeOf(error: unknown): number | undefined {
  if (!hasCode(error, 'ERR_SQLITE_ERROR')) return undefined;
  const { errcode } = error as Error & { errcode?: unknown };
  return typeof errcode === 'number' ? errcode & PRIMARY_CODE : undefined;
}

/** What the file holds makes no sense: it has to be replaced. */
export const isDamage = (error: unknown): boolean => {
  const code = codeOf(error);
  return code === CORRUPT || code === NOTADB || error instanceof DamageFound;
};

/** Nothing was written and what is there is whole: there is no room, or the disk (by now) takes no writes. */
export const isRefusal = (error: unknown): boolean => {
  const code = codeOf(error);
  return code === FULL || code === IOERR || code === READONLY || code === CANTOPEN;
};

/**
 * While a file is opened or salvaged: a damaged one may also be of an unknown format, or have lost a table, which SQLite takes
 * for errors of whoever asks.
 */
export const isReadingFault = (error: unknown): boolean => isDamage(error) || codeOf(error) === ERROR;
