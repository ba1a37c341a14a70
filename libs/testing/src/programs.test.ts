import { expect, test } from 'vitest';
import packages from '../system-packages.json' with { type: 'json' };
import { hasProgram } from './programs.ts';

test('when a program is in PATH, it is found', () => {
  expect(hasProgram('sh')).toBe(true);
});

test('when no folder has a program, it is not found', () => {
  expect(hasProgram('no-such-program-of-bowline')).toBe(false);
});

test('when a package is listed, its name is one that apt-get takes and its program is named without a path', () => {
  for (const [name, program] of Object.entries(packages)) {
    expect(name).toMatch(/^[a-z0-9][a-z0-9+.-]+$/);
    expect(program).toMatch(/^[\w.-]+$/);
  }
});
