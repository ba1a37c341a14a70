import { hasCode } from '@bowline/runtime/errors';

/** The system refused: a disk that fails, or was made read-only by that. Nothing that an update could be blamed for. */
export const isSystemError = (error: unknown): boolean =>
  hasCode(error, 'ERR_SQLITE_ERROR') || (error instanceof Error && 'syscall' in error);
