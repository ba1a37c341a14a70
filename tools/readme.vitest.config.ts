import { defineConfig } from 'vitest/config';
import shared from './vitest.config.ts';

/** What the README says, done in a clone: part of `npm run ci`, too slow and too far-reaching for `npm test`. */
const { test } = shared;
export default defineConfig({
  ...shared,
  test: {
    ...test,
    include: ['src/e2e/readme*.e2e.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    outputFile: { json: 'reports/readme.json' },
  },
});
