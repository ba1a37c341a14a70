import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { expect, it } from 'vitest';

it('when a device has no cloud for an hour, all that it sampled comes afterwards, at the pace, behind live samples', () => {
  const json = join(temporaryFolder(), 'offline.json');
  const main = join(import.meta.dirname, 'main.ts');
  const args = [main, 'offline', '--seconds', '3600', '--json', json, '--no-build'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(status, `${stdout}${stderr}`).toBe(0);
  const found = JSON.parse(readFileSync(json, 'utf8')) as Record<string, number>;
  expect(found).toMatchObject({ sent: 180_000, arrived: 180_000, givenUp: 0, missing: 0, cameTwice: 0 });
  expect(found['ledger']).toBe(found['inLog']);
  expect(found['liveMeanwhile']).toBeGreaterThan(0);
  // A few bytes a sample, and nothing of it in the gateway's queue.
  expect(found['historyFileBytes']).toBeLessThan(8 * 2 ** 20);
  expect(found['outboxMessages']).toBeLessThan(100);
});
