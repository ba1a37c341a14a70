import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger } from '@bowline/runtime';
import { temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { ControlGroups } from './control-group.ts';
import { Programs } from './run-program.ts';
import { RunRecords } from './run-records.ts';

test.each([
  ['has a NUL in an argument, which no program may be given', process.execPath, ['a\0b'], '/'],
  ['is to start in a folder that there is not', process.execPath, [], '/no/such/folder'],
])('when a program %s, its order fails and no control group of it stays', async (_, file, args, cwd) => {
  const folder = temporaryFolder();
  const base = join(folder, 'groups');
  mkdirSync(base);
  const log = createLogger({ app: 'test', write: () => undefined });
  const programs = new Programs({
    records: new RunRecords(join(folder, 'runs')),
    groups: new ControlGroups(folder, base),
    log,
    limits: {},
    killGraceMs: 100,
    outputLogChars: 1000,
    programUser: undefined,
  });
  const order = { orderId: 'o', attempt: 1, deadlineMs: 1000, note: undefined };
  const program = {
    order,
    command: 'c',
    file,
    args,
    cwd,
    input: '',
    user: undefined,
    limits: {},
    onOutput: () => {},
  };
  await expect(programs.run(program, new AbortController().signal)).rejects.toMatchObject({
    code: 'command-failed',
  });
  expect(readdirSync(base)).toEqual([]);
});
