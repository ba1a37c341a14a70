import { closeSync, constants, openSync, readlinkSync, writeSync } from 'node:fs';
import { hasCode } from '@bowline/runtime/errors';

const TERMINAL = /^\/dev\/pts\/\d+$/;

/**
 * Writes a line on each terminal that one of these processes has for its input.
 *
 * @param told those that have it already; others are added.
 */
export function warnTerminals(pids: readonly number[], text: string, told: Set<string>): void {
  for (const pid of pids) {
    const terminal = terminalOf(pid);
    if (terminal === undefined || told.has(terminal)) continue;
    told.add(terminal);
    write(terminal, `\r\n${text}\r\n`);
  }
}

function terminalOf(pid: number): string | undefined {
  try {
    const target = readlinkSync(`/proc/${pid}/fd/0`);
    return TERMINAL.test(target) ? target : undefined;
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'EACCES', 'ESRCH', 'ERR_ACCESS_DENIED')) throw error;
    return undefined;
  }
}

function write(terminal: string, text: string): void {
  try {
    const handle = openSync(terminal, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
    try {
      writeSync(handle, text);
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    // It closed meanwhile, or nobody reads it.
    if (!hasCode(error, 'ENOENT', 'EIO', 'EAGAIN', 'EACCES', 'ENXIO')) throw error;
  }
}
