import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ConfigError, hasCode } from './errors.ts';

export interface Lock {
  release(): void;
}

/**
 * Lets one process at a time own a resource. SQLite's exclusive lock is a lock of the kernel on the file: it is atomic,
 * it goes away with the process however that dies, and a stale one cannot exist (docs/adr/0006).
 *
 * @param file created if absent; its folder too (0700).
 * @throws ConfigError `already-running` if another process holds it; `state-folder` if the file cannot be made.
 */
export function acquireLock(file: string): Lock {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const database = new DatabaseSync(file);
    try {
      database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      throw error;
    }
    return { release: () => database.close() };
  } catch (error) {
    if (hasCode(error, 'ERR_SQLITE_ERROR') && /locked/.test(error.message)) {
      throw new ConfigError('already-running', `another process holds ${file}; stop it first`, {
        cause: error,
      });
    }
    throw new ConfigError(
      'state-folder',
      `cannot use ${file}: check that its folder exists and is writable`,
      {
        cause: error,
      },
    );
  }
}
