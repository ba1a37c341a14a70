/** Loaded by Vitest before each test file (tools/vitest.config.ts): nothing that a test made stays behind. */
import { afterAll } from 'vitest';
import { cleanUp } from './clean-up.ts';

afterAll(cleanUp);
