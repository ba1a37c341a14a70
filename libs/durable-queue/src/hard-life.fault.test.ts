import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from './testing/test-queue.ts';

const SCRIPT = new URL('testing/hard-lives.ts', import.meta.url).pathname;
const RUNS = Number(process.env['BOWLINE_RUNS'] ?? 5);
const SEED = Number(process.env['BOWLINE_SEED'] ?? Date.now() % 1e9);

/** A mount namespace of its own, in which a small disk can be made that is gone with the process. */
const UNSHARE = ['--map-root-user', '--mount', '--'];
const canMount = spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
const canTrace = spawnSync('strace', ['-f', '-e', 'trace=none', 'true']).status === 0;

describe('kills, I/O errors, a full disk, clocks that step, turned bits (needs util-linux, strace, user namespaces)', () => {
  test.runIf(canMount && canTrace)(
    `when a store lives through all of it, it holds what its model holds, and says what damage took (seed ${SEED})`,
    async () => {
      const folder = temporaryFolder();
      const run = `exec ${process.execPath} ${SCRIPT} ${folder} ${SEED} ${RUNS}`;
      const script = `mount -t tmpfs -o size=24m tmpfs ${folder} && ${run}`;
      const options = { maxBuffer: 2 ** 26 };
      const { stdout, stderr } = await promisify(execFile)(
        'unshare',
        [...UNSHARE, 'sh', '-c', script],
        options,
      );
      expect(stderr).toBe('');
      // A run in which nothing goes wrong would prove nothing.
      expect(Object.keys(JSON.parse(stdout)).length).toBeGreaterThan(2);
    },
    600_000,
  );
});
