import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { expect, it } from 'vitest';
import { PowerDisk } from './power-disk.ts';

const missing = PowerDisk.missing();

it.skipIf(missing !== undefined)(
  `when the power is cut while a history is recorded, all that was said to be recorded is there, and what was given up is told${missing === undefined ? '' : ` (needs ${missing})`}`,
  () => {
    const json = join(temporaryFolder(), 'history.json');
    const main = join(import.meta.dirname, 'main.ts');
    const args = [main, 'history', '--kills', '8', '--json', json, '--no-build'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(status, `${stdout}${stderr}`).toBe(0);
    expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({ findings: 0, controlCaught: true });
  },
);
