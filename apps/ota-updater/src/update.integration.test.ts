import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { freePort, waitFor } from '@bowline/testing';
import { afterEach, expect, test } from 'vitest';
import { UpdateDevice } from './testing/update-device.ts';

const CRASHES = { 'app.js': `console.log('cannot go on'); setTimeout(() => process.exit(3), 30);` };
const LONG = 300_000;

let device: UpdateDevice;
afterEach(() => device.close());
/** @param processes false: releases of files only, without pm2. */
const open = async (processes = true) => {
  device = await UpdateDevice.open({}, { processes });
  device.start();
};
const events = () => device.gateway.events.map(({ event }) => event.kind);

test(
  'when releases follow each other, each is started by pm2 under current, and the one before last is removed',
  { timeout: LONG },
  async () => {
    await open();
    for (const version of ['1.0.0', '1.1.0', '1.2.0']) {
      device.release('kiosk', version);
      expect(await device.update('kiosk', version)).toMatchObject({
        status: 'succeeded',
        result: { version, changed: true },
      });
      expect(await device.running('kiosk')).toBe(version);
    }
    const { trials } = device.gateway;
    const told = trials.find(({ release }) => release === 'kiosk 1.2.0');
    const { graceMs = 0, soakMs = 0, trialMaxMs = 0 } = device.trial;
    expect(told?.processes).toEqual(['kiosk']);
    // On a loaded machine a while after it was told.
    expect(told?.endsBy).toBeLessThanOrEqual(Date.now() + graceMs + soakMs + trialMaxMs);
    expect(told?.forMs).toBeGreaterThan(0);
    await waitFor(() => trials.at(-1)?.forMs === 0, { what: 'the end of the trial to be told' });
    const trees = () =>
      readdirSync(join(device.folder, 'releases/kiosk')).filter((name) => name.length === 64);
    await waitFor(() => trees().length === 2, { what: 'the release before last to be removed' });
    expect(events()).toEqual(['update.committed', 'update.committed', 'update.committed']);
    expect(await device.update('kiosk', '1.2.0')).toMatchObject({ result: { changed: false } });
  },
);

test(
  'when a release crashes, the one before is put back, its last lines reach the server, and it is not tried again',
  { timeout: LONG },
  async () => {
    await open();
    device.release('kiosk', '1.0.0');
    device.release('kiosk', '2.0.0', { files: CRASHES });
    await device.update('kiosk', '1.0.0');
    const end = await device.update('kiosk', '2.0.0');
    expect(end).toMatchObject({
      status: 'failed',
      error: {
        code: expect.stringMatching(/boot-loop|process-/),
        message: expect.stringMatching(/^rolled back: /),
      },
      result: { log: expect.arrayContaining(['cannot go on']) },
    });
    expect(device.inPlace('kiosk')).toBe('1.0.0');
    await waitFor(async () => (await device.running('kiosk')) === '1.0.0');
    expect(events()).toEqual(['update.committed', 'update.rolled-back']);
    expect(await device.update('kiosk', '2.0.0')).toMatchObject({ error: { code: 'denied-release' } });
  },
);

test(
  'when a release that is in place is ordered again and does not run, it is started; if it does not stay up, that is said, with its last lines',
  { timeout: LONG },
  async () => {
    await open();
    const needs = join(device.folder, 'needed');
    writeFileSync(needs, '');
    const app = `if (!require('node:fs').existsSync(${JSON.stringify(needs)})) { console.log('no licence'); process.exit(4); }
      setInterval(() => {}, 1e6);`;
    device.release('kiosk', '1.0.0', { files: { 'app.js': app } });
    await device.update('kiosk', '1.0.0');
    await device.pm2.remove('kiosk');
    expect(await device.update('kiosk', '1.0.0')).toMatchObject({
      status: 'succeeded',
      result: { version: '1.0.0', changed: false, started: true },
    });
    expect(await device.running('kiosk')).toBe('1.0.0');
    const again = await device.update('kiosk', '1.0.0');
    expect(again).toMatchObject({ result: { changed: false } });
    expect(again.result).not.toHaveProperty('started');
    rmSync(needs);
    await device.pm2.remove('kiosk');
    expect(await device.update('kiosk', '1.0.0')).toMatchObject({
      status: 'failed',
      error: { code: 'stays-down', message: expect.stringContaining('is not well: its process') },
      result: { phase: 'failed', log: expect.arrayContaining(['no licence']) },
    });
    expect(device.inPlace('kiosk')).toBe('1.0.0');
    writeFileSync(needs, '');
    expect((await device.update('kiosk', '1.0.0')).status).toBe('succeeded');
  },
);

test(
  'when the device is rebooted within a trial, the release is started once, and committed',
  { timeout: LONG },
  async () => {
    await open();
    device.release('kiosk', '1.0.0');
    await device.update('kiosk', '1.0.0');
    device.release('kiosk', '2.0.0');
    device.dieAt(['after trial']);
    const order = await device.order('kiosk', '2.0.0');
    const died = device.updater?.exited;
    device.gateway.hand('ota-updater', order).catch(() => {});
    await died;
    await device.pm2.kill();
    writeFileSync(device.bootFile, 'another');
    await device.pm2.startDaemon();
    device.start();
    expect(await device.ended(order.orderId)).toMatchObject({ status: 'succeeded' });
    expect(await device.running('kiosk')).toBe('2.0.0');
    expect(await device.pm2.list()).toMatchObject([{ name: 'kiosk', restarts: 0 }]);
  },
);

test(
  'when a release hangs, its probe over HTTP or by a command fails it, each time that it is ordered to be tried again',
  { timeout: LONG },
  async () => {
    await open(false);
    device.release('kiosk', '1.0.0');
    await device.update('kiosk', '1.0.0');
    const http = `http://127.0.0.1:9/health`;
    device.release('kiosk', '2.0.0', { manifest: { probe: { http } } });
    expect((await device.update('kiosk', '2.0.0')).error).toMatchObject({ code: 'probe-failed' });
    const again = await device.update('kiosk', '2.0.0', { retryFailed: true });
    expect(again.error).toMatchObject({ code: 'probe-failed' });
    const files = { 'bin/probe': '#!/bin/sh\necho "I hang"\nsleep 600\n' };
    const probe = { command: ['bin/probe'] };
    device.release('kiosk', '3.0.0', { files, manifest: { probe: { ...probe, timeoutMs: 1000 } } });
    expect((await device.update('kiosk', '3.0.0')).error).toMatchObject({
      code: 'probe-failed',
      message: expect.stringContaining('bin/probe did not end in time: I hang'),
    });
    const good = { 'bin/probe': '#!/bin/sh\n[ "$(cat version.txt)" = 4.0.0 ]\n' };
    device.release('kiosk', '4.0.0', { files: good, manifest: { probe } });
    expect((await device.update('kiosk', '4.0.0')).status).toBe('succeeded');
    expect(device.inPlace('kiosk')).toBe('4.0.0');
  },
);

test(
  'when a first release fails, nothing is left in place and its process is gone',
  { timeout: LONG },
  async () => {
    await open();
    device.release('kiosk', '1.0.0', { files: CRASHES });
    expect((await device.update('kiosk', '1.0.0')).status).toBe('failed');
    expect(device.inPlace('kiosk')).toBeUndefined();
    expect(await device.pm2.list()).toEqual([]);
  },
);

test(
  'when there is a hold, an open shell or no window, the update waits and says why; then it goes on, or is cancelled',
  { timeout: LONG },
  async () => {
    await open(false);
    device.release('kiosk', '1.0.0');
    const holds = join(device.folder, 'state/holds');
    mkdirSync(holds);
    writeFileSync(join(holds, 'oven.json'), JSON.stringify({ until: Date.now() + 3_600_000 }));
    const order = await device.order('kiosk', '1.0.0');
    await device.gateway.hand('ota-updater', order);
    const note = (text: string) =>
      waitFor(() => device.gateway.progress.some((told) => told.note?.includes(text)), { what: text });
    await note('held by oven');
    expect(existsSync(join(device.folder, 'state/content'))).toBe(false);
    mkdirSync(join(device.folder, 'ssh/session-1'), { recursive: true });
    rmSync(join(holds, 'oven.json'));
    await note('1 ssh sessions are open');
    device.setPolicy({
      windows: [{ opens: `0 0 ${new Date(Date.now() + 40 * 864e5).getUTCDate()} * *`, minutes: 1 }],
    });
    rmSync(join(device.folder, 'ssh/session-1'), { recursive: true });
    await note('outside the maintenance window');
    device.setPolicy({});
    expect((await device.ended(order.orderId)).status).toBe('succeeded');

    writeFileSync(join(holds, 'oven.json'), JSON.stringify({ until: Date.now() + 3_600_000 }));
    device.release('kiosk', '2.0.0');
    const second = await device.order('kiosk', '2.0.0');
    await device.gateway.hand('ota-updater', second);
    await waitFor(() => device.gateway.progress.some(({ orderId }) => orderId === second.orderId));
    expect(await device.gateway.cancel('ota-updater', second.orderId)).toEqual({ outcome: 'stopping' });
    expect((await device.ended(second.orderId)).status).toBe('cancelled');
    expect(device.inPlace('kiosk')).toBe('1.0.0');
  },
);

test(
  'when an update is only previewed, its figures come back and nothing changes',
  { timeout: LONG },
  async () => {
    await open(false);
    device.release('kiosk', '1.0.0');
    const end = await device.update('kiosk', '1.0.0', { preview: true });
    expect(end).toMatchObject({
      status: 'succeeded',
      result: { preview: { version: '1.0.0', files: 1, verdict: 'allowed', now: 'yes' } },
    });
    expect(device.inPlace('kiosk')).toBeUndefined();
    const verdicts = { probe: 'is named bowline', bowline: 'not installed with its launcher' };
    for (const [name, verdict] of Object.entries(verdicts)) {
      device.release(name, '1.0.0', { manifest: { kind: 'self' } });
      expect(await device.update(name, '1.0.0', { preview: true })).toMatchObject({
        result: { preview: { verdict: expect.stringContaining(verdict) } },
      });
    }
  },
);

test(
  'when the order names no release, a name of ours, or another share of the fleet, it is refused',
  { timeout: LONG },
  async () => {
    await open(false);
    device.release('ws-gateway', '1.0.0');
    expect((await device.update('ws-gateway', '1.0.0')).error?.code).toBe('reserved-name');
    expect((await device.update('kiosk', '9.0.0')).error?.code).toBe('no-such-release');
    const nameless = await device.order(undefined, '1.0.0');
    expect((await device.gateway.outcome('ota-updater', nameless)).error?.code).toBe('incomplete-order');
    const rollout = { percent: 0, salt: 'a' };
    expect((await device.update('ws-gateway', '1.0.0', { rollout })).error?.code).toBe('outside-rollout');
  },
);

test(
  'when only the link is lost, the release is at fault if the server answers otherwise; else nobody is',
  { timeout: LONG },
  async () => {
    // It refuses a link without a token, as servers do.
    let asked = 0;
    const server = createServer().on('upgrade', (_, socket) => {
      asked += 1;
      socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
    });
    const listen = (wanted: number) =>
      new Promise<void>((resolve) => server.listen(wanted, '127.0.0.1', resolve));
    const port = await freePort(); // where nobody is while this server is away
    await listen(port);
    device = await UpdateDevice.open(
      {},
      {
        server: `ws://127.0.0.1:${port}/v1/devices/d1/link`,
        processes: false,
      },
    );
    device.start();
    device.release('kiosk', '1.0.0');
    await device.update('kiosk', '1.0.0');

    // The release cuts the link as soon as it is there: until then its probe does not answer.
    const wasCut = join(device.folder, 'was-cut');
    const files = { probe: `#!/bin/sh\nuntil [ -e ${wasCut} ]; do sleep 0.02; done\n` };
    const manifest = { probe: { command: ['probe'], timeoutMs: 60_000 } };
    const cutsLink = async (version: string) => {
      rmSync(wasCut, { force: true });
      device.release('kiosk', version, { files, manifest });
      const end = device.update('kiosk', version, { retryFailed: true });
      await waitFor(() => device.inPlace('kiosk') === version, { what: `${version} to be in place` });
      device.gateway.setLink('offline');
      writeFileSync(wasCut, '');
      return end;
    };
    expect((await cutsLink('2.0.0')).error).toMatchObject({ code: 'link-lost' });
    device.gateway.setLink('online');
    expect((await device.update('kiosk', '2.0.0')).error?.code).toBe('denied-release');

    const restartWith = async (change: Record<string, number>) => {
      device.trial = { ...device.trial, ...change };
      await device.updater?.kill();
      device.start();
    };
    await new Promise((resolve) => server.close(resolve));
    await restartWith({ trialMaxMs: 2500 });
    expect((await cutsLink('3.0.0')).error).toMatchObject({
      code: 'inconclusive',
      message: expect.stringContaining('rolled back: inconclusive'),
    });
    expect(device.inPlace('kiosk')).toBe('1.0.0');

    // The outage ends: the server answers at once, the link is back only when the gateway tries again.
    device.gateway.setLink('online');
    await restartWith({ trialMaxMs: 120_000, linkBackMs: 60_000 });
    const end = cutsLink('3.0.0');
    asked = 0;
    await listen(port);
    await waitFor(() => asked >= 2, { what: 'the server to answer for a while' });
    device.gateway.setLink('online');
    expect((await end).status).toBe('succeeded');
    await new Promise((resolve) => server.close(resolve));
  },
);

test(
  'when a release leaks until pm2 restarts it, it is rolled back; when the old one does not stand either, that is said',
  { timeout: LONG },
  async () => {
    await open();
    // The first needs a file that goes away: it cannot come back.
    const needs = join(device.folder, 'needed');
    writeFileSync(needs, '');
    // It stands for a moment each time: whoever looks once finds it well.
    const frail = `setInterval(() => require('node:fs').readFileSync(${JSON.stringify(needs)}), 300);`;
    device.release('kiosk', '1.0.0', { files: { 'app.js': frail } });
    await device.update('kiosk', '1.0.0');
    // To an end: pm2 may lose it between a restart for its memory and its removal, and it would take the machine's all.
    const leaks = `const kept = []; setInterval(() => kept.length < 100 && kept.push(Buffer.alloc(2e6, 1)), 20);
      process.on('disconnect', () => process.exit());`;
    device.release('kiosk', '2.0.0', { files: { 'app.js': leaks }, memory: '120M' });
    device.trial = { ...device.trial, soakMs: 60_000 };
    await device.updater?.kill();
    device.start();
    const order = await device.order('kiosk', '2.0.0');
    await device.gateway.hand('ota-updater', order);
    await waitFor(() => device.inPlace('kiosk') === '2.0.0');
    rmSync(needs);
    const end = await device.ended(order.orderId);
    expect(end.error?.code).toMatch(/process-restarted|process-down|boot-loop/);
    expect(end.result).toMatchObject({
      degraded: expect.stringMatching(/^the release before is not well either: its process /),
    });
    expect(events().at(-1)).toBe('update.degraded');
  },
);
