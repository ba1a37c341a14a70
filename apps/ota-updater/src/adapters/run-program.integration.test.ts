import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { expect, test } from 'vitest';
import { runProgram } from './run-program.ts';

/** It leaves a process of another session behind, which holds its streams. */
const LEAVES = `setsid sh -c 'echo $$ >pid; exec sleep 60' & until [ -s pid ]; do sleep 0.01; done;`;

test.each([
  ['has ended', `${LEAVES} echo done; exit 3`, { code: 3, said: 'done\n' }],
  ['is ended by us', `${LEAVES} echo begun; : >begun; sleep 60`, { code: undefined, said: 'begun\n' }],
])(
  'when a program leaves a service behind and %s, that is told all the same',
  async (_, script, expected) => {
    const cwd = temporaryFolder();
    const ended = new AbortController();
    const end = runProgram('sh', ['-c', script], { cwd, signal: ended.signal });
    if (expected.code === undefined) {
      await waitFor(() => existsSync(join(cwd, 'begun')));
      ended.abort();
    }
    expect(await end).toMatchObject(expected);
    process.kill(Number(readFileSync(join(cwd, 'pid'), 'utf8')));
  },
);
