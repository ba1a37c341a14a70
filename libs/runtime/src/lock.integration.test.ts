import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { acquireLock, waitForLock } from './lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'bl-lock-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const UNSHARE = ['--mount', '--map-root-user', '--propagation', 'private'];
const canMount = spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

const holding = (file: string): string =>
  `import { acquireLock } from ${JSON.stringify(join(import.meta.dirname, 'lock.ts'))};
    globalThis.lock = acquireLock(${JSON.stringify(file)}); console.log('held'); setInterval(() => {}, 1000);`;

/** Another process that holds the lock until it is killed. */
async function holder(file: string) {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', holding(file)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return {
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

describe('acquireLock', () => {
  it('when another process holds it, it is refused; when that is killed, it is free at once', async () => {
    const file = join(folder, 'a.lock');
    const other = await holder(file);
    expect(() => acquireLock(file)).toThrow(expect.objectContaining({ code: 'already-running' }));
    await other.kill();
    acquireLock(file).release();
  });

  it('when it is released, it can be taken again', () => {
    const file = join(folder, 'b.lock');
    const first = acquireLock(file);
    first.release();
    first.release(); // by whoever cleans up after it, too
    const lock = acquireLock(file);
    expect(() => acquireLock(file)).toThrow(/another process holds/);
    lock.release();
  });

  it.runIf(canMount)(
    'when the disk is full and the file is there from before, it is held all the same (needs mount namespaces)',
    async () => {
      const full = join(folder, 'full');
      const file = join(full, 'd.lock');
      mkdirSync(full);
      const script = `mount -t tmpfs -o size=1m tmpfs ${full} && touch ${file} && { cat /dev/zero > ${full}/filler 2>/dev/null; exec "$@"; }`;
      const inside = [
        'sh',
        '-c',
        script,
        'sh',
        process.execPath,
        '--input-type=module-typescript',
        '-e',
        holding(file),
      ];
      const child = spawn('unshare', [...UNSHARE, ...inside], { stdio: ['ignore', 'pipe', 'inherit'] });
      const [said] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as unknown[];
      child.kill('SIGKILL');
      expect(String(said)).toContain('held');
    },
  );

  it('when the folder cannot be used, the error says what to check', () => {
    expect(() => acquireLock('/dev/null/x.lock')).toThrow(expect.objectContaining({ code: 'state-folder' }));
  });

  it('when a copy stands by, it takes over as soon as the first is killed', async () => {
    const file = join(folder, 'c.lock');
    const other = await holder(file);
    const warned: unknown[] = [];
    const waiting = waitForLock(file, {
      log: { warn: (...args: unknown[]) => void warned.push(args) },
      signal: new AbortController().signal,
    });
    await expect.poll(() => warned).toHaveLength(1);
    await other.kill();
    (await waiting).release();
  });
});
