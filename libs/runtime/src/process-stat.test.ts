import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { allPids, processStat, processVariable } from './process-stat.ts';

test('when the name of a process looks like other fields, they are read behind it', () => {
  const stat = '41 (a) Z (b) R 7 40 39 0 -1 4194560 0 0 0 0 1 2 3 4 20 0 1 0 987654 0';
  expect(processStat(stat)).toEqual({
    hasEnded: false,
    parent: 7,
    group: 40,
    session: 39,
    startTicks: 987_654,
  });
  expect(processStat('41 (a) R (b) Z 7 40 39').hasEnded).toBe(true);
});

test('when this process is looked for, it is there and has its parent', () => {
  expect(allPids()).toContain(process.pid);
  expect(processStat(readFileSync('/proc/self/stat', 'utf8'))).toMatchObject({ parent: process.ppid });
});

test('when a process has a variable in its environment, it is read whole; one that it has not is undefined', () => {
  expect(processVariable(process.pid, 'PATH')).toBe(process.env['PATH']);
  expect(processVariable(process.pid, 'PAT')).toBeUndefined();
  expect(() => processVariable(2 ** 22 + 1, 'PATH')).toThrow('ENOENT');
});
