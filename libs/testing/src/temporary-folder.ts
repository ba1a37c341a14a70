import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterThisFile } from './clean-up.ts';

/**
 * A new private folder (0700) with a short path, since a unix socket's may have 107 bytes; removed after the last test of
 * the file.
 */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'bl-'));
  afterThisFile(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}
