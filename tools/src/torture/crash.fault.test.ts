import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { expect, it } from 'vitest';

it('when gateway, executor, collector and server are killed at random, nothing accepted is lost, doubled or swapped', () => {
  const json = join(temporaryFolder(), 'crash.json');
  const main = join(import.meta.dirname, 'main.ts');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [main, 'crash', '--kills', '12', '--json', json, '--no-build'],
    {
      encoding: 'utf8',
    },
  );
  expect(status, `${stdout}${stderr}`).toBe(0);
  const result = JSON.parse(readFileSync(json, 'utf8')) as Record<string, unknown>;
  expect(result).toMatchObject({
    lost: 0,
    duplicated: 0,
    outOfOrder: 0,
    ordersUnfinished: 0,
    controlCaught: true,
  });
  expect(result['accepted']).toBeGreaterThan(50);
  expect(result['acceptedFromCollector']).toBeGreaterThan(10);
});
