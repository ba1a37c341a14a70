import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, hasCode } from './errors.ts';
import type { Logger } from './logger.ts';

export interface Lock {
  /** May be called again: whoever cleans up after an error need not know who did so before. */
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
    closeSync(openSync(file, 'a', 0o600)); // SQLite would make it readable by the group, who could then hold it
    const database = new DatabaseSync(file);
    try {
      // Without a journal on the disk: it would be the one thing here that a full disk refuses, at every start.
      database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      throw error;
    }
    return { release: () => database.isOpen && database.close() };
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

/** How often a process that stands by tries again. */
const LOCK_POLL_MS = 250;

/**
 * As {@link acquireLock}, but a second copy stands by until the first is gone: after the loss of pm2's daemon the new copy
 * starts while the old one is still ending, and nobody is there to start it again.
 *
 * @throws ConfigError `state-folder`; AbortError if the process is asked to stop meanwhile.
 */
export async function waitForLock(
  file: string,
  { log, signal }: { log: Pick<Logger, 'warn'>; signal: AbortSignal },
): Promise<Lock> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return acquireLock(file);
    } catch (error) {
      if (!(error instanceof ConfigError) || error.code !== 'already-running') throw error;
      if (attempt === 0) log.warn({ file }, 'another copy of this app runs: standing by until it ends');
    }
    // A timer that keeps the process alive: nothing else does yet.
    await sleep(LOCK_POLL_MS, undefined, { signal });
  }
}
