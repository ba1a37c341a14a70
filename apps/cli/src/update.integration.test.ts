import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { bowline } from './testing/run-bowline.ts';

const DIGEST = 'ab'.repeat(32);
const plan = {
  name: 'kiosk',
  version: '2.0.0',
  totalBytes: 5_000_000,
  fetchBytes: 80_000,
  reusedBytes: 4_920_000,
};
const STATUS = {
  at: 1,
  updates: [
    {
      orderId: 'o1',
      phase: 'rolled-back',
      at: 1,
      plan,
      order: {},
      failure: { code: 'probe-failed', message: 'its probe failed' },
    },
    { orderId: 'o2', phase: 'fetching', at: 2, plan, order: {} },
  ],
  installed: { kiosk: { version: '1.0.0', digest: DIGEST, kind: 'app', at: 1 } },
  denied: { [DIGEST]: { name: 'kiosk', version: '2.0.0', code: 'probe-failed', message: 'm', at: 1 } },
  progress: { o2: { percent: 35, bytesPerSecond: 20_000, remainingSeconds: 3 } },
};

let home: string;
let state: string;
beforeEach(() => {
  home = temporaryFolder();
  state = join(home, 'state');
  mkdirSync(join(home, '.bowline'), { recursive: true });
  mkdirSync(state);
  const installation = { runDir: home, hubFolder: home, pm2Home: home, updaterStateDir: state };
  writeFileSync(join(home, '.bowline', 'run.json'), JSON.stringify(installation));
  writeFileSync(join(state, 'status.json'), JSON.stringify(STATUS));
});
const update = (...args: string[]) => bowline(['--home', home, 'update', ...args]);

describe('bowline update', () => {
  test('when something is under way, a bar shows how far it is, and what has ended says how', async () => {
    const { code, stdout } = await update();
    expect(code).toBe(0);
    expect(stdout).toContain('[########----------------]  35 %  fetching');
    expect(stdout).toMatch(/78 kB to fetch, 4\.7 MB here already/);
    expect(stdout).toContain('rolled-back  its probe failed (probe-failed)');
    expect(stdout).toMatch(/kiosk\s+1\.0\.0\s+app/);
  });

  test('when somebody holds updates and lets them go, the file is there, shown, and gone', async () => {
    await update('hold', '--owner', 'oven', '--for', '2h', '--reason', 'baking');
    const hold = JSON.parse(readFileSync(join(state, 'holds/oven.json'), 'utf8')) as { until: number };
    expect(hold).toMatchObject({ reason: 'baking' });
    expect(hold.until).toBeGreaterThan(Date.now() + 7_000_000);
    expect((await update()).stdout).toMatch(/oven.*baking/);
    expect((await update('release', '--owner', 'oven')).stdout).toContain('holds updates no more');
    expect(readdirSync(join(state, 'holds'))).toEqual([]);
    expect((await update('hold', '--owner', '../x')).code).toBe(2);
    expect(await update('hold', '--owner', 'oven', '--for', '31d')).toMatchObject({ code: 2 });
  });

  test('when an update is called off, it waits for the updater to end it; what is over cannot be', async () => {
    const request = join(state, 'cancel/o2');
    const cancelled = update('cancel');
    await waitFor(() => existsSync(request));
    const [first, second] = STATUS.updates;
    const updates = [first, { ...second, phase: 'cancelled' }];
    writeFileSync(join(state, 'status.json'), JSON.stringify({ ...STATUS, updates }));
    rmSync(request);
    expect(await cancelled).toMatchObject({ code: 0, stdout: 'The update is over: cancelled.\n' });
    expect(await update('cancel', 'o1')).toMatchObject({ code: 2 });
  });

  test('when a release that failed is allowed again, the updater finds its digest; another beginning is refused', async () => {
    expect((await update('allow', 'cd')).code).toBe(2);
    expect((await update('allow', DIGEST.slice(0, 8))).code).toBe(0);
    expect(readdirSync(join(state, 'allow'))).toEqual([DIGEST]);
  });

  test('when the updater has written nothing, it says what to do', async () => {
    writeFileSync(join(state, 'status.json'), '');
    expect(await update()).toMatchObject({ code: 4, stderr: expect.stringContaining('user of the updater') });
  });
});
