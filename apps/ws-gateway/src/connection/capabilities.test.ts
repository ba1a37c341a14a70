import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { expect, it } from 'vitest';
import { Capabilities } from './capabilities.ts';

it('when the executor has told its idempotent commands, they are known after a restart, and newer ones replace them', () => {
  const file = join(temporaryFolder(), 'capabilities.json');
  new Capabilities(file).learn(['ping', 'again', 'ping']);
  expect(new Capabilities(file).all()).toEqual(['idempotent:again', 'idempotent:ping']);
  new Capabilities(file).learn(['ping']);
  expect(new Capabilities(file).all()).toEqual(['idempotent:ping']);
});

it('when the file is damaged, nothing is claimed', () => {
  const file = join(temporaryFolder(), 'capabilities.json');
  writeFileSync(file, '["ping"');
  expect(new Capabilities(file).all()).toEqual([]);
});
