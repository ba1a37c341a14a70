import { rm } from 'node:fs/promises';
import fc from 'fast-check';
import { test } from 'vitest';
import { PEACEFUL } from './testing/action.ts';
import { LocalHost } from './testing/host.ts';
import { Life, LIMITS } from './testing/life.ts';
import { temporaryFolder } from './testing/test-queue.ts';

const RUNS = Number(process.env['BOWLINE_RUNS'] ?? 25);
const SEED = Number(process.env['BOWLINE_SEED'] ?? Date.now() % 1e9);

test(`when a store and a model of arrays live through the same, they hold the same (seed ${SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(...PEACEFUL), { minLength: 3, maxLength: 25 }), async (actions) => {
      const folder = temporaryFolder();
      const life = new Life(new LocalHost(folder, LIMITS));
      await life.begin();
      try {
        for (const action of actions) await life.perform(action);
        await life.look();
      } finally {
        await life.host.close();
        await rm(folder, { recursive: true });
      }
    }),
    // Each run is dear: what it shrinks to, it finds soon or never.
    { numRuns: RUNS, seed: SEED, interruptAfterTimeLimit: 300_000, markInterruptAsFailure: false },
  );
}, 600_000);
