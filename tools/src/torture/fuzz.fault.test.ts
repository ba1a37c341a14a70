import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { expect, it } from 'vitest';

it('when decoders, gateway and server are given what nobody would send, each refuses it with a listed code and goes on', () => {
  const json = join(temporaryFolder(), 'fuzz.json');
  const main = join(import.meta.dirname, 'main.ts');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [main, 'fuzz', '--inputs', '27000', '--json', json, '--no-build'],
    { encoding: 'utf8' },
  );
  expect(status, `${stdout}${stderr}`).toBe(0);
  const result = JSON.parse(readFileSync(json, 'utf8')) as Record<string, unknown>;
  expect(result).toMatchObject({ inputs: 27_000, findings: 0, controlCaught: true });
  expect(result['targets']).toBeGreaterThan(20);
  expect(result['socketInputs']).toBeGreaterThan(100);
}, 240_000);
