import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

const REMOTE = '/usr/lib/systemd/systemd-journal-remote';
const BOOT = '3f2504e04f8941d39a0c0305e82c3301';

/** Epoch milliseconds, and the fields of an entry; bytes are written as such. */
export interface TestEntry {
  at: number;
  fields: Record<string, string | Buffer>;
}

/** A real journal (systemd.journal-export-format) in a folder. Needs systemd-journal-remote. Returns the command that reads it. */
export function writeJournal(folder: string, entries: readonly TestEntry[], name = 'system'): string[] {
  mkdirSync(folder, { recursive: true });
  const input = Buffer.concat(entries.map(({ at, fields }, index) => entry(at, index, fields)));
  execFileSync(REMOTE, ['-o', join(folder, `${name}.journal`), '-'], { input, stdio: 'pipe' });
  return ['/usr/bin/journalctl', '-D', folder];
}

function entry(at: number, index: number, fields: TestEntry['fields']): Buffer {
  const times = `__REALTIME_TIMESTAMP=${at * 1000}\n__MONOTONIC_TIMESTAMP=${1_000_000 + index}\n_BOOT_ID=${BOOT}\n`;
  const rest = Object.entries(fields).map(([name, value]) => {
    const bytes = Buffer.from(value);
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(bytes.length));
    return Buffer.concat([Buffer.from(`${name}\n`), size, bytes, Buffer.from('\n')]);
  });
  return Buffer.concat([Buffer.from(times), ...rest, Buffer.from('\n')]);
}
