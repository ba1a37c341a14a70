import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { WORKSPACE } from '../test/run.ts';
import { readmeCommands } from './readme-commands.ts';

test('when a README has shell blocks and commands in its text, they are found without prompts and comments', () => {
  const markdown = [
    '`npm stop` ends `nothing else`.',
    '```sh',
    '# all of it',
    'npm ci && npm start',
    '$ npx bowline status    # what the device says',
    '',
    '```',
    '```json',
    '{ "not": "a command" }',
    '```',
  ].join('\n');
  expect(readmeCommands(markdown)).toEqual(['npm stop', 'npm ci', 'npm start', 'npx bowline status']);
});

test('when a newcomer reads our README, it has the commands that were promised, by exactly these names', () => {
  const commands = readmeCommands(readFileSync(join(WORKSPACE, 'README.md'), 'utf8'));
  const promised = [
    /^npm ci$/,
    /^npm start$/,
    /^npx bowline fleet command demo ping$/,
    /^npx bowline status$/,
    /^npx bowline logs [a-z-]+$/,
    /^npx bowline restart [a-z-]+$/,
    /^npm stop$/,
    /^npm test$/,
  ];
  expect(promised.filter((pattern) => !commands.some((command) => pattern.test(command)))).toEqual([]);
});
