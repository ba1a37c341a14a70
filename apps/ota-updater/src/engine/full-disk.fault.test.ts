import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { startProcess } from '@bowline/testing';
import { expect, test } from 'vitest';

/** A mount namespace of its own, in which small disks can be made that are gone with its last process. */
const UNSHARE = ['--map-root-user', '--mount', '--'];
const canMount = spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
const SCRIPT = resolve(import.meta.dirname, '../testing/small-disk.ts');

const GOOD = ['before accepted', 'tree wiped', 'before switching', 'before committed'];
const BROKEN = ['before rolling-back'];

test.skipIf(!canMount)(
  'when the disks fill up at any point of an update, the same process goes on once there is room, and ends it as it should',
  { timeout: 300_000 },
  async () => {
    const child = startProcess('unshare', [...UNSHARE, process.execPath, SCRIPT, ...GOOD, ...BROKEN]);
    const { code } = await child.exited;
    expect({ code, stderr: child.stderr() }).toEqual({ code: 0, stderr: '' });
    const ends = child
      .stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    // Elsewhere a record may find room in what is left of a page.
    const surely = ['before accepted', 'tree wiped', 'before switching'];
    const good = (at: string, index: number) => ({
      at,
      ...(surely.includes(at) ? { full: true } : {}),
      status: 'succeeded',
      inPlace: `2.0.${index}`,
      ...(at === 'before accepted' ? { refused: 'no-space' } : {}),
    });
    const broken = (at: string) => ({
      at,
      ...(surely.includes(at) ? { full: true } : {}),
      status: 'failed',
      code: 'probe-failed',
      inPlace: `2.0.${GOOD.length - 1}`,
    });
    expect(ends).toMatchObject([...GOOD.map(good), ...BROKEN.map(broken), { damaged: 0 }]);
  },
);
