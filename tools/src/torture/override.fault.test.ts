import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { expect, it } from 'vitest';

it('when command line or gateway is killed amid a change of the link by a person, an address that a link has proven is in force, and the device online by it', () => {
  const json = join(temporaryFolder(), 'override.json');
  const main = join(import.meta.dirname, 'main.ts');
  // The same instants each time: by name it has them all, in another order.
  const args = [main, 'override', '--kills', '3', '--seed', '1', '--json', json, '--no-build'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(status, `${stdout}${stderr}`).toBe(0);
  const result = JSON.parse(readFileSync(json, 'utf8')) as Record<string, unknown>;
  expect(result).toMatchObject({ findings: 0, controlCaught: true });
  expect(result['kills']).toBeGreaterThan(0);
}, 400_000);
