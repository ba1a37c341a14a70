import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { expect, it } from 'vitest';
import { lanes } from './testing/raw-device.ts';
import { MAIN } from './testing/real-server.ts';
import { enrolled, operatorsApi } from './testing/test-server.ts';

/** A mount namespace of its own, in which a small disk can be made that is gone with its last process. */
const UNSHARE = ['--map-root-user', '--mount', '--'];
const canMount = spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
const MIB = 2 ** 20;
const order = { type: 'command', payload: { name: 'ping' } };

/** A shell that holds the disk, and starts servers on it. */
class SmallDisk {
  readonly folder = temporaryFolder();
  readonly #holder: TestProcess;

  constructor() {
    const script = `mount -t tmpfs -o size=24m tmpfs ${this.folder} && echo mounted && exec sleep 600`;
    this.#holder = startProcess('unshare', [...UNSHARE, 'sh', '-c', script]);
  }

  mounted(): Promise<unknown> {
    return this.#holder.output(/mounted/);
  }

  /** The path from outside the namespace. */
  path(...names: string[]): string {
    return join(`/proc/${this.#holder.pid}/root`, this.folder, ...names);
  }

  run(...command: string[]): TestProcess {
    const inside = ['-t', String(this.#holder.pid), '-U', '--preserve-credentials', '-m', '--'];
    return startProcess('nsenter', [...inside, ...command]);
  }

  fill(): void {
    const { bavail, bsize } = statfsSync(this.path());
    try {
      writeFileSync(this.path('filler'), Buffer.alloc(bavail * bsize, 1));
    } catch {
      // Full is what it should be.
    }
  }

  empty(): void {
    rmSync(this.path('filler'));
  }
}

it.skipIf(!canMount)(
  'when the disk is full, devices and new orders are refused, a restart serves what there is, and all goes on once there is room',
  async () => {
    const disk = new SmallDisk();
    await disk.mounted();
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const stateDir = join(disk.folder, 'server');
    const start = async () => {
      const server = disk.run(
        process.execPath,
        MAIN,
        `--stateDir=${stateDir}`,
        `--port=${port}`,
        `--keep.minFreeBytes=${MIB}`,
        '--link.attemptsBurst=1000',
      );
      await server.output(/"message":"listening"/);
      return server;
    };
    let server = await start();
    const token = readFileSync(disk.path('server', 'operator-token'), 'utf8').trim();
    const api = operatorsApi(url, token);
    const device = await enrolled(url, api, 'd1');
    const link = await device.open();
    for (let seq = 1; seq <= 50; seq += 1) link.event(seq, 'before');
    await link.receipted('events', 50);

    disk.fill();
    // Either the guard sees it first, or a commit does, and the process is started anew.
    const data = 'x'.repeat(20_000);
    let seq = 50;
    const blow = setInterval(() => {
      seq += 1;
      link.durable('events', seq, 'event', { kind: 'during', severity: 'info', at: 1, data: { data } });
    }, 20);
    const { code } = await link.closed;
    clearInterval(blow);
    const receipted = Math.max(...link.receipts('events'));
    if (code !== 1013) await server.exited;
    else await server.kill();

    server = await start();
    expect((await api('GET', '/v1/health')).status).toBe(200);
    const refused = await device.connect().refused;
    expect({ status: refused.status, body: refused.body }).toMatchObject({
      status: 503,
      body: { code: 'disk-full' },
    });
    expect(await api('POST', '/v1/devices/d1/orders', order)).toMatchObject({
      status: 503,
      body: { code: 'disk-full' },
    });
    // What was stored in the last moment had no receipt any more where the process ended by itself.
    const { body: kept } = await api('GET', '/v1/devices/d1/events?limit=1000');
    const stored = (kept['events'] as unknown[]).length;
    expect(stored).toBeGreaterThanOrEqual(receipted);
    expect((await api('GET', '/v1/server')).body).toMatchObject({ incidents: [] });

    disk.empty();
    await server.output(/there is room on the disk again/);
    await waitFor(async () => (await api('POST', '/v1/devices/d1/orders', order)).status === 201);
    const again = await device.open(lanes({ events: [receipted + 1, seq + 1] }));
    expect(again.frames[0]?.payload).toMatchObject({ resumed: true, received: { events: stored } });
    for (let late = stored + 1; late <= seq; late += 1)
      again.durable('events', late, 'event', { kind: 'during', severity: 'info', at: 1, data: { data } });
    await again.receipted('events', seq);
    expect(await server.kill('SIGTERM')).toMatchObject({ code: 0 });
  },
);
