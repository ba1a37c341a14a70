import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from './testing/test-queue.ts';

const SCRIPT = new URL('testing/full-disk.ts', import.meta.url).pathname;
const MIB = 2 ** 20;

/** A mount namespace of its own, in which a small disk can be made that is gone with the process. */
const UNSHARE = ['--map-root-user', '--mount', '--'];
const canMount = spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

describe('a disk that runs full (needs util-linux and user namespaces: apt-get install util-linux)', () => {
  test.skipIf(!canMount)(
    'when nothing more fits, new work is refused, receipts and acks go on, and all of it recovers by itself',
    async () => {
      const folder = temporaryFolder();
      const script = `mount -t tmpfs -o size=24m tmpfs ${folder} && exec ${process.execPath} ${SCRIPT} ${folder}`;
      const { stdout } = await promisify(execFile)('unshare', [...UNSHARE, 'sh', '-c', script]);
      const seen = JSON.parse(stdout);
      const reserve = (24 * MIB) / 20;

      expect(seen.surprised).toEqual({
        together: ['disk-full', 'ok', 'ok'],
        full: true,
        refused: 'disk-full',
        waiting: 95,
      });
      expect(seen.history.refusal).toBe('disk-full');
      expect(seen.history.stored).toBeGreaterThan(100);
      expect(seen.freeAfterHistory).toBeGreaterThan(reserve / 2);
      expect(seen.telemetry.stored).toBeLessThan(5);
      expect(seen.events.refusal).toBe('disk-full');
      expect(seen.events.stored).toBeGreaterThan(10);
      expect(seen.freeAfterEvents).toBeGreaterThan(reserve / 4);
      expect(seen.newOrders.refusal).toBe('disk-full');
      expect(seen.newOrders.stored).toBeLessThan(1000);

      expect(seen.onFullDisk).toMatchObject({
        free: 0,
        event: 'disk-full',
        receipts: 'ok',
        ack: 'ok',
        together: ['disk-full', 'ok'],
        consistent: true,
      });
      expect(seen.onFullDiskAnew).toEqual({ renewed: true, grown: 0, consistent: true });
      expect(seen.reopenedFull).toEqual({
        sameEpoch: true,
        consistent: true,
        receipts: 'ok',
        history: 'disk-full',
      });
      expect(seen.end).toEqual({ withRoom: 'ok', ack: 'ok', consistent: true });
    },
  );
});
