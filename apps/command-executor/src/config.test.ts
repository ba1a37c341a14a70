import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { ExecutorConfig } from './config.ts';

const MEBIBYTE = 1_048_576;
/** What the executor needs beside its modules. */
const BASE_BYTES = 160 * MEBIBYTE;

const defaultOf = (schema: object): number => Number('default' in schema ? schema.default : undefined);

interface Ecosystem {
  apps: readonly { name: string; max_memory_restart?: string }[];
}

test('when all modules fill the heaps that they may have, pm2 does not restart the executor', () => {
  const { apps } = createRequire(import.meta.url)('../../../deploy/ecosystem.config.cjs') as Ecosystem;
  const limit = apps.find(({ name }) => name === 'command-executor')?.max_memory_restart;
  expect(limit).toMatch(/^\d+M$/);
  const { maxModules, moduleMemoryBytes } = ExecutorConfig.properties;
  const neededBytes = BASE_BYTES + defaultOf(maxModules) * defaultOf(moduleMemoryBytes);
  expect(Number.parseInt(limit ?? '', 10) * MEBIBYTE).toBeGreaterThanOrEqual(neededBytes);
});
