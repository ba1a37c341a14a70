import { readFileSync } from 'node:fs';
import { waitFor } from '@bowline/testing';
import { afterEach, expect, test } from 'vitest';
import { SelfDevice } from './testing/self-device.ts';

const GOOD = '#!/bin/sh\nexit 0\n';
const BAD = '#!/bin/sh\necho broken\nexit 1\n';
const LONG = 300_000;
const SWITCH = ['before switching', 'after switching', 'trial asked for', 'before trial', 'after trial'];
const TELLING = ['before told', 'after told'];

let self: SelfDevice;
afterEach(() => self.close());

/** Orders it, and has the updater killed at each of these points, of the old slot and of the new one. */
async function update(version: string, points: readonly string[]) {
  const { device } = self;
  device.dieAt(points);
  const order = await device.order('bowline', version);
  await device.gateway.hand('ota-updater', order);
  const end = await device.ended(order.orderId);
  const left = () => readFileSync(device.dieFile, 'utf8');
  await waitFor(() => left() === '[]', { what: 'the last point to be reached' }).catch(() => {
    throw new Error(`not reached: ${left()}`);
  });
  return end;
}

test(
  'when the updater is killed at every point of an update of itself, in either slot, it is committed or goes back, and what runs is what current says',
  { timeout: LONG },
  async () => {
    self = await SelfDevice.open();
    self.release('1.0.0', GOOD);
    const good = [
      ...SWITCH,
      'before committing',
      'after committing',
      'trial ended',
      'before committed',
      'after committed',
    ];
    expect((await update('1.0.0', [...good, ...TELLING])).status).toBe('succeeded');
    expect(self.current()).toBe('1.0.0');
    await waitFor(async () => (await self.running()) === '1.0.0', { what: '1.0.0 to run' });

    self.release('2.0.0', BAD);
    const back = [
      'before rolling-back',
      'after rolling-back',
      'way back asked for',
      'before rolled-back',
      'after rolled-back',
    ];
    const end = await update('2.0.0', [...SWITCH, ...back, ...TELLING]);
    expect(end).toMatchObject({ status: 'failed', error: { code: 'probe-failed' } });
    expect(self.current()).toBe('1.0.0');
    await waitFor(async () => (await self.running()) === '1.0.0', { what: '1.0.0 to run' });

    // What it would write, 1.0.0 could not read: it is not tried, and is not to blame.
    self.release('3.0.0', GOOD, { 'deploy/data-formats.json': '{ "store": { "reads": 3, "writes": 3 } }' });
    for (let order = 1; order <= 2; order += 1)
      expect((await update('3.0.0', [])).error?.message).toContain('it writes version 3 of the store');
    expect(await self.running()).toBe('1.0.0');
  },
);

test(
  'when Bowline itself is updated, it waits for a configuration that is under way, and has later ones wait until its trial is over',
  { timeout: LONG },
  async () => {
    self = await SelfDevice.open();
    const { gateway } = self.device;
    self.release('1.0.0', GOOD);
    gateway.configUnderWay = true;
    const order = await self.device.order('bowline', '1.0.0');
    await gateway.hand('ota-updater', order);
    const note = 'a configuration is on its way to the apps';
    await waitFor(() => gateway.progress.some((told) => told.note === note), { what: 'it to wait' });
    expect(await self.running()).toBe('factory');
    const before = gateway.configHolds.map(({ pid }) => pid);
    gateway.configUnderWay = false;
    expect((await self.device.ended(order.orderId)).status).toBe('succeeded');
    const inTrial = gateway.configHolds.filter(({ pid }) => !before.includes(pid));
    expect(inTrial.some(({ forMs }) => forMs > 0)).toBe(true);
    await waitFor(() => gateway.configHolds.at(-1)?.forMs === 0, { what: 'the end of the hold' });
    const [told] = gateway.trials;
    expect(told).toMatchObject({ release: 'bowline 1.0.0', processes: ['ws-gateway'] });
    expect(gateway.trials.at(-1)?.forMs).toBe(0);
  },
);
