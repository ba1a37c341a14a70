import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { startProcess, temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { createTestRepository, serveFolder } from '../testing/index.ts';

/** A mount namespace of its own, in which a small disk can be made that is gone with its last process. */
const UNSHARE = ['--map-root-user', '--mount', '--'];
const canMount = spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
const SCRIPT = resolve(import.meta.dirname, '../testing/small-disk.ts');

test.skipIf(!canMount)(
  'when the disk is too small or fills up, it is said, before the first byte if it can be, and all goes on once there is room',
  async () => {
    const repository = await createTestRepository(temporaryFolder());
    await repository.add({ 'data.bin': randomBytes(3 * 1024 * 1024) });
    const many = Array.from({ length: 60 }, (_, index) => [`file-${index}`, 'x'] as const);
    await repository.release(Object.fromEntries(many), { version: '2.0.0' });
    const server = await serveFolder(repository.folder);
    const disk = temporaryFolder();
    const run = `mount -t tmpfs -o size=8m,nr_inodes=60 tmpfs ${disk} && exec "$@"`;
    const command = [process.execPath, SCRIPT, repository.folder, server.url, disk];
    const child = startProcess('unshare', [...UNSHARE, 'sh', '-c', run, 'sh', ...command]);
    await child.exited;
    await server.close();
    const steps = child.stdout().trim().split('\n');
    expect(child.stderr()).toBe('');
    expect(steps).toEqual([
      expect.stringMatching(/^too many bytes: TransientError no-space: .* lacks [0-9]+ bytes/),
      expect.stringMatching(/^too many inodes: TransientError no-space: .* lacks inodes/),
      expect.stringMatching(/^full while fetching: TransientError no-space/),
      'room to fetch: done',
      expect.stringMatching(/^full while laying out: TransientError no-space/),
      'room to lay out: done',
      'differences: 0',
    ]);
  },
);
