import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { readFileIfPresent, writeFileDurably } from './files.ts';

const folder = mkdtempSync(join(tmpdir(), 'bl-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A mount namespace of its own, in which a small disk can be made that is gone with the process. */
const UNSHARE = ['--map-root-user', '--mount', '--'];
const canMount = spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

/** Writes small, then large where that has no room; prints what is there, and how much is free before and after. */
const ON_A_SMALL_DISK = `
  import { readdirSync, readFileSync, statfsSync } from 'node:fs';
  import { writeFileDurably } from ${JSON.stringify(join(import.meta.dirname, 'files.ts'))};
  const folder = process.argv[1];
  const free = () => statfsSync(folder).bfree;
  writeFileDurably(folder + '/state.json', 'small');
  const before = free();
  let code;
  try {
    writeFileDurably(folder + '/state.json', 'x'.repeat(2 ** 20));
  } catch (error) {
    code = error.code;
  }
  const content = readFileSync(folder + '/state.json', 'utf8');
  console.log(JSON.stringify({ code, content, names: readdirSync(folder), taken: before - free() }));
`;

describe('writeFileDurably', () => {
  test.skipIf(!canMount)(
    'when the disk is full, the old content stays, and what there was room for is gone again',
    async () => {
      const script = `mount -t tmpfs -o size=256k tmpfs ${folder} && exec "$@"`;
      const node = [process.execPath, '--input-type=module', '--eval', ON_A_SMALL_DISK, folder];
      const { stdout } = await promisify(execFile)('unshare', [
        ...UNSHARE,
        'sh',
        '-c',
        script,
        'sh',
        ...node,
      ]);
      expect(JSON.parse(stdout)).toEqual({
        code: 'ENOSPC',
        content: 'small',
        names: ['state.json'],
        taken: 0,
      });
    },
  );

  test('when processes were killed amid their write, what they left goes with the next; that of one that lives stays', async () => {
    const dead = spawn('true');
    await once(dead, 'close');
    const file = join(folder, 'state.json');
    const kept = [`other.json.${dead.pid}.new`, `state.json.${process.ppid}.new`, 'state.json.old.new'];
    for (const name of [`state.json.${dead.pid}.new`, ...kept]) writeFileSync(join(folder, name), 'half');
    writeFileDurably(file, 'new');
    expect(readFileIfPresent(file)).toBe('new');
    expect(readdirSync(folder).toSorted()).toEqual(['state.json', ...kept].toSorted());
  });
});
