import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { LongFilesFirst } from './src/test/long-files-first.ts';
import { COMPILED } from './src/test/run.ts';

// Tests start Node some thousand times, mostly from source: what it has compiled once is half of each start.
process.env['NODE_COMPILE_CACHE'] ??= COMPILED;

/**
 * One configuration for every package: `npm test` runs in the package's folder and points here.
 *
 * Timeouts are long because tests share a small, noisy machine: they end what hangs and decide nothing else.
 * The JSON report is what `tools/src/test/run-tests.ts` counts.
 */
export default defineConfig({
  root: process.cwd(),
  test: {
    include: ['src/**/*.test.ts'],
    setupFiles: [join(import.meta.dirname, '../libs/testing/src/setup.ts')],
    pool: 'forks',
    // Two packages at a time; tools, which comes last and mostly waits, has more (its own script).
    maxWorkers: 2,
    sequence: { sequencer: LongFilesFirst },
    testTimeout: 180_000,
    hookTimeout: 180_000,
    teardownTimeout: 20_000,
    reporters: ['default', 'json'],
    outputFile: { json: 'reports/vitest.json' },
    restoreMocks: true,
  },
});
