import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { expect, it } from 'vitest';

it('when every process and the programs are killed at random, each order ends once and its effect is there as often as it may', () => {
  const json = join(temporaryFolder(), 'orders.json');
  const main = join(import.meta.dirname, 'main.ts');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [main, 'orders', '--kills', '10', '--orders', '30', '--json', json, '--no-build'],
    { encoding: 'utf8' },
  );
  expect(status, `${stdout}${stderr}`).toBe(0);
  const result = JSON.parse(readFileSync(json, 'utf8')) as Record<string, unknown>;
  expect(result).toMatchObject({
    unfinished: 0,
    changed: 0,
    twice: 0,
    missing: 0,
    unasked: 0,
    leftRunning: 0,
    controlCaught: true,
  });
  expect(result['orders']).toBeGreaterThanOrEqual(30);
  expect(result['givenAtLastKill']).toBeGreaterThanOrEqual(30);
  expect(result['succeeded']).toBeGreaterThan(10);
}, 300_000);
