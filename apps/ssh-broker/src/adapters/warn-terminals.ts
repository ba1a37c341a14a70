import { closeSync, constants, openSync, readlinkSync, writeSync } from 'node:fs';
import { hasCode } from '@bowline/runtime/errors';

const TERMINAL = /^\/dev\/pts\/\d+$/;

/** Writes a line on each terminal that one of these processes has for its input. */
export function warnTerminals(pids: readonly number[], text: string): void {
  const terminals = new Set<string>();
  for (const pid of pids) {
    try {
      const target = readlinkSync(`/proc/${pid}/fd/0`);
      if (TERMINAL.test(target)) terminals.add(target);
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'EACCES', 'ESRCH', 'ERR_ACCESS_DENIED')) throw error;
    }
  }
  for (const terminal of terminals) {
    try {
      const handle = openSync(terminal, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
      try {
        writeSync(handle, `\r\n${text}\r\n`);
      } finally {
        closeSync(handle);
      }
    } catch (error) {
      // It closed meanwhile, or nobody reads it.
      if (!hasCode(error, 'ENOENT', 'EIO', 'EAGAIN', 'EACCES', 'ENXIO')) throw error;
    }
  }
}
