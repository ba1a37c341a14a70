import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs, temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';

const WORKSPACE = join(import.meta.dirname, '../..');

test.runIf(needs('strace'))(
  'when the permission model forbids fsync, content is still on the disk before the rename, the name after it',
  () => {
    const state = temporaryFolder();
    const trace = join(temporaryFolder(), 'trace');
    const program = `
      const { writeFileDurably } = await import(${JSON.stringify(join(WORKSPACE, 'libs/runtime/src/files.ts'))});
      writeFileDurably(${JSON.stringify(join(state, 'key.pem'))}, 'secret');`;
    const node = ['--permission', `--allow-fs-read=${WORKSPACE}`, `--allow-fs-read=${state}`];
    node.push(`--allow-fs-write=${state}`, '--conditions=@bowline/source', '--input-type=module');
    const calls = 'trace=openat,write,pwrite64,rename,fsync';
    const traced = ['-f', '-y', '-o', trace, '-e', calls, process.execPath, ...node, '-e', program];
    execFileSync('strace', traced);
    const lines = readFileSync(trace, 'utf8').split('\n');
    const at = (pattern: RegExp) => lines.findIndex((line) => pattern.test(line));

    const opened = at(/openat.*key\.pem\.\d+\.new", O_WRONLY\|O_CREAT\|O_TRUNC\|O_SYNC/);
    const written = at(/write.*key\.pem\.\d+\.new>, "secret", 6/);
    const renamed = at(/rename\(.*key\.pem"\) += 0/);
    const named = lines.findLastIndex((line) => line.includes('fsync') && line.includes(`<${state}>)`));
    expect(opened).toBeGreaterThan(-1);
    expect([opened, written, renamed, named]).toEqual(
      [opened, written, renamed, named].toSorted((a, b) => a - b),
    );
    expect(readdirSync(state)).toEqual(['key.pem']);
  },
);
