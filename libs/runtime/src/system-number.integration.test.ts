import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { systemNumber, systemUsers } from './system-number.ts';

const folder = mkdtempSync(join(tmpdir(), 'bl-users-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function passwd(...lines: string[]): string {
  const file = join(folder, 'passwd');
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
  return file;
}

test('when a user stands in the file, its numbers are those of its line', () => {
  const file = passwd('root:x:0:0:root:/root:/bin/bash', 'ada:x:1000:1001:,,,:/home/ada:/bin/sh');
  expect(systemUsers(file).get('ada')).toEqual({ name: 'ada', uid: 1000, gid: 1001 });
  expect([systemNumber('ada', file), systemNumber('77', file), systemNumber('eve', file)]).toEqual([
    1000,
    77,
    undefined,
  ]);
  expect(systemUsers().get(userInfo().username)?.uid).toBe(userInfo().uid);
});

test('when a line has no numbers, or a name is there twice, nobody becomes root by it', () => {
  const file = passwd('eve:x:::', 'mallory:x:0x0:0', ':x:0:0', '+', 'ada:x:1000:1000', 'ada:x:0:0');
  expect([...systemUsers(file).values()]).toEqual([{ name: 'ada', uid: 1000, gid: 1000 }]);
  expect(systemNumber('eve', file)).toBeUndefined();
});
