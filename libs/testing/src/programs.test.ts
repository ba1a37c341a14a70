import { expect, test } from 'vitest';
import packages from '../system-packages.json' with { type: 'json' };
import { hasProgram } from './programs.ts';

test('when a program is in PATH, it is found', () => {
  expect(hasProgram('sh')).toBe(true);
});

test('when no folder has a program, it is not found', () => {
  expect(hasProgram('no-such-program-of-bowline')).toBe(false);
});

test('when a file is named by its absolute path, it is found if it is there', () => {
  expect([hasProgram(import.meta.filename), hasProgram(`${import.meta.filename}.not`)]).toEqual([
    true,
    false,
  ]);
});

test('when a package is listed, its name is one that apt-get takes, and a program or a file stands for it', () => {
  for (const [name, program] of Object.entries(packages)) {
    expect(name).toMatch(/^[a-z0-9][a-z0-9+.-]+$/);
    expect(program).toMatch(/^(\/usr\/(lib|sbin|share)\/[\w./-]+|[\w.-]+)$/);
  }
});
