import { join } from 'node:path';
import { needs, temporaryFolder } from '@bowline/testing';
import { describe } from 'vitest';
import { tryReadme } from './try-readme.ts';

describe.runIf(needs('git'))('the README in a clone at a short path', () => {
  tryReadme(join(temporaryFolder(), 'checkout'));
});
