import { createHash } from 'node:crypto';
import { readFileIfPresent, writeFileDurably } from '@bowline/runtime';
import type { Floor } from './floor.ts';

/** Metadata that was verified, as it came. */
export interface Trusted {
  /** SHA-256 of the root that it all began with. */
  anchor: string;
  /** Role → its text. */
  roles: Record<string, string>;
  /** Time at which it was verified, epoch milliseconds: it was never earlier since. */
  atMs: number;
}

/** Where a client keeps what it trusts. Both halves are whole or absent. */
export interface TrustedStore {
  load(): { trusted: Trusted | undefined; floor: Floor | undefined };
  save(trusted: Trusted, floor: Floor): void;
}

/**
 * Two files, each replaced at once and with a checksum in it, instead of one file for each role: there is no moment at which
 * root, timestamp, snapshot and targets are of different refreshes, and what a power cut or a bad sector left of a file counts
 * as none.
 */
export function trustedFiles(file: string, floorFile: string): TrustedStore {
  return {
    load: () => ({ trusted: read<Trusted>(file), floor: read<Floor>(floorFile) }),
    save(trusted, floor) {
      write(file, trusted);
      write(floorFile, floor);
    },
  };
}

function read<T>(file: string): T | undefined {
  const text = readFileIfPresent(file);
  if (text === undefined) return undefined;
  const line = text.indexOf('\n');
  const body = text.slice(line + 1);
  return line === 64 && text.slice(0, line) === checksum(body) ? (JSON.parse(body) as T) : undefined;
}

function write(file: string, value: Trusted | Floor): void {
  const body = JSON.stringify(value);
  writeFileDurably(file, `${checksum(body)}\n${body}`);
}

const checksum = (text: string) => createHash('sha256').update(text).digest('hex');
