import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs, temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';

test.runIf(needs('openssh-server') && needs('openssh-client'))(
  'when sessions are opened in a row, and one has a reader that stalls, nothing is left and memory stays bounded',
  () => {
    const json = join(temporaryFolder(), 'ssh.json');
    const main = join(import.meta.dirname, 'main.ts');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [main, 'ssh', '--sessions', '4', '--json', json, '--no-build'],
      { encoding: 'utf8' },
    );
    expect(status, `${stdout}${stderr}`).toBe(0);
    const result = JSON.parse(readFileSync(json, 'utf8')) as Record<string, number | boolean>;
    expect(result).toMatchObject({
      sessions: 4,
      failed: 0,
      leftovers: 0,
      missingBytes: 0,
      controlCaught: true,
    });
    // Of a process of 100 MiB through which 256 MiB went.
    expect(result['brokerPeakMib']).toBeLessThan(250);
  },
  240_000,
);
