import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { expect, it } from 'vitest';

it('when an app is killed before or after a durable write of a change of the configuration, all end on the same one and tell the truth', () => {
  const json = join(temporaryFolder(), 'config.json');
  const main = join(import.meta.dirname, 'main.ts');
  const args = [main, 'config', '--kills', '10', '--json', json, '--no-build'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(status, `${stdout}${stderr}`).toBe(0);
  const result = JSON.parse(readFileSync(json, 'utf8')) as Record<string, unknown>;
  expect(result).toMatchObject({ findings: 0, controlCaught: true });
  expect(result['kills']).toBeGreaterThan(7);
}, 240_000);
