import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { expect, it } from 'vitest';
import { PowerDisk } from './power-disk.ts';

const missing = PowerDisk.missing();

it.skipIf(missing !== undefined)(
  `when the power of device and server is cut at random, nothing accepted is lost, doubled or swapped${missing === undefined ? '' : ` (needs ${missing})`}`,
  () => {
    const json = join(temporaryFolder(), 'powercut.json');
    const main = join(import.meta.dirname, 'main.ts');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [main, 'powercut', '--kills', '8', '--json', json, '--no-build'],
      { encoding: 'utf8' },
    );
    expect(status, `${stdout}${stderr}`).toBe(0);
    expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({
      name: 'powercut',
      kills: 8,
      lost: 0,
      duplicated: 0,
      outOfOrder: 0,
      ordersUnfinished: 0,
      controlCaught: true,
    });
  },
);
