import { join } from 'node:path';
import { needs, temporaryFolder } from '@bowline/testing';
import { describe } from 'vitest';
import { tryReadme } from './try-readme.ts';

const CHARACTERS = 200;

function longFolder(): string {
  const folder = temporaryFolder();
  const name = 'long-path-'.repeat(CHARACTERS);
  const rest = CHARACTERS - folder.length - '/checkout'.length - 1;
  return join(folder, name.slice(0, rest));
}

describe.runIf(needs('git'))('the README in a clone at a path of 200 characters', () => {
  tryReadme(join(longFolder(), 'checkout'));
});
