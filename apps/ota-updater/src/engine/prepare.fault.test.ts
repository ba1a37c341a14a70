import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, waitFor } from '@bowline/testing';
import { beforeAll, expect, test } from 'vitest';
import { BAD, GOOD, openKioskDevice, type KioskDevice } from '../testing/kiosk-device.ts';

const NEVER = { windows: [{ opens: '0 0 30 2 *', minutes: 1 }] };

let device: KioskDevice['device'];
let release: KioskDevice['release'];
beforeAll(async () => {
  ({ device, release } = await openKioskDevice());
});

const inPlace = (path: string) => join(device.folder, 'releases/kiosk/current', path);
const note = (text: string) =>
  waitFor(() => device.gateway.progress.some((told) => told.note?.includes(text)), { what: text });
const noteOf = (orderId: string, text: string) =>
  waitFor(
    () => device.gateway.progress.some((told) => told.orderId === orderId && told.note?.includes(text)),
    {
      what: text,
    },
  );

test('when a tree is spoilt while it waits for its window, it is laid out anew before it runs', async () => {
  release('1.0.0');
  device.setPolicy(NEVER);
  const order = await device.order('kiosk', '1.0.0');
  await device.gateway.hand('ota-updater', order);
  await note('no maintenance window');
  const journal = readFileSync(join(device.folder, 'state/updates.journal'), 'utf8');
  const [, digest] = /"digest":"([0-9a-f]{64})"/.exec(journal) ?? [];
  const file = join(device.folder, 'releases/kiosk', digest ?? '', 'probe');
  writeFileSync(file, BAD);
  device.setPolicy({});
  expect((await device.ended(order.orderId)).status).toBe('succeeded');
  expect(readFileSync(inPlace('probe'), 'utf8')).toBe(GOOD);
});

test('when the release before is ordered again, the tree that lies there still is taken as it is', async () => {
  const { ino } = statSync(inPlace('version.txt'));
  release('2.0.0');
  expect((await device.update('kiosk', '2.0.0')).status).toBe('succeeded');
  expect((await device.update('kiosk', '1.0.0')).status).toBe('succeeded');
  expect(statSync(inPlace('version.txt')).ino).toBe(ino);
});

test('when the disk refuses, that is told and waited for, by the same process', async () => {
  const folder = join(device.folder, 'releases/other');
  writeFileSync(folder, 'in the way');
  device.release('other', '1.0.0');
  const order = await device.order('other', '1.0.0');
  await device.gateway.hand('ota-updater', order);
  await note('disk-failed');
  rmSync(folder);
  expect((await device.ended(order.orderId)).status).toBe('succeeded');
  expect(isRunning(device.updater?.pid ?? 0)).toBe(true);
});

test('when the journal loses that the switch had begun, a roll back still leads to the release before', async () => {
  release('3.0.0', BAD);
  device.dieAt(['after trial']);
  const order = await device.order('kiosk', '3.0.0');
  const died = device.updater?.exited;
  device.gateway.hand('ota-updater', order).catch(() => {});
  await died;
  const file = join(device.folder, 'state/updates.journal');
  const lines = readFileSync(file, 'utf8').split('\n');
  const at = lines.findLastIndex((line) => line.includes('"type":"switching"'));
  expect(lines[at]).toContain(order.orderId);
  lines[at] = lines[at]?.replace('switching', 'swatching') ?? '';
  writeFileSync(file, lines.join('\n'));
  device.start();
  expect(await device.ended(order.orderId)).toMatchObject({ error: { code: 'probe-failed' } });
  expect(device.inPlace('kiosk')).toBe('1.0.0');
});

test('when the link is down, an order that came over it waits for it before the switch: the trial could not judge it', async () => {
  device.setPolicy(NEVER);
  release('5.0.0');
  const order = await device.order('kiosk', '5.0.0');
  await device.gateway.hand('ota-updater', order);
  const before = device.inPlace('kiosk');
  await noteOf(order.orderId, 'no maintenance window');
  device.gateway.setLink('offline');
  await noteOf(order.orderId, 'the link to the cloud is down');
  device.setPolicy({});
  const looks = device.gateway.progress.length;
  await waitFor(() => device.gateway.progress.length > looks + 3, { what: 'more looks' });
  expect(device.inPlace('kiosk')).toBe(before);
  device.gateway.setLink('online');
  expect((await device.ended(order.orderId)).status).toBe('succeeded');
});

test('when a release is withdrawn while its update waits or is held, it is not installed; a source that is away stops nothing', async () => {
  const withdraw = (version: string) =>
    rmSync(join(device.folder, 'source/kiosk', version), { recursive: true });
  const before = device.inPlace('kiosk');
  device.setPolicy(NEVER);
  release('6.0.0');
  const waiting = await device.order('kiosk', '6.0.0');
  await device.gateway.hand('ota-updater', waiting);
  await noteOf(waiting.orderId, 'no maintenance window');
  withdraw('6.0.0');
  device.setPolicy({});
  expect(await device.ended(waiting.orderId)).toMatchObject({ error: { code: 'no-such-release' } });

  const hold = join(device.folder, 'state/holds/oven.json');
  mkdirSync(join(device.folder, 'state/holds'), { recursive: true });
  writeFileSync(hold, JSON.stringify({ until: Date.now() + 3_600_000 }));
  release('6.1.0');
  const held = await device.order('kiosk', '6.1.0');
  await device.gateway.hand('ota-updater', held);
  await noteOf(held.orderId, 'held by oven');
  withdraw('6.1.0');
  rmSync(hold);
  expect(await device.ended(held.orderId)).toMatchObject({ error: { code: 'no-such-release' } });
  expect(device.inPlace('kiosk')).toBe(before);

  device.setPolicy(NEVER);
  release('6.2.0');
  const third = await device.order('kiosk', '6.2.0');
  await device.gateway.hand('ota-updater', third);
  await noteOf(third.orderId, 'no maintenance window');
  const away = join(device.folder, 'source/unreachable');
  writeFileSync(away, '');
  device.setPolicy({});
  expect((await device.ended(third.orderId)).status).toBe('succeeded');
  rmSync(away);
});

test('when an update is held, or waits for its window, a preview is answered all the same, and the update goes on', async () => {
  const hold = join(device.folder, 'state/holds/oven.json');
  writeFileSync(hold, JSON.stringify({ until: Date.now() + 3_600_000 }));
  device.setPolicy(NEVER);
  release('6.5.0');
  const order = await device.order('kiosk', '6.5.0');
  await device.gateway.hand('ota-updater', order);
  await noteOf(order.orderId, 'held by oven');
  const preview = async () => (await device.update('kiosk', '6.5.0', { preview: true })).result;
  expect(await preview()).toMatchObject({ preview: { now: expect.stringContaining('held by oven') } });
  rmSync(hold);
  await noteOf(order.orderId, 'no maintenance window');
  const now = expect.stringContaining('no maintenance window');
  expect(await preview()).toMatchObject({ preview: { now } });
  device.setPolicy({});
  expect((await device.ended(order.orderId)).status).toBe('succeeded');
});

test('when an update cannot begin, or its contents do not come, those behind it are not held up, and it ends once it can', async () => {
  for (const flag of ['away', 'contents-away']) {
    const name = `stick-${flag}`;
    device.release(name, '1.0.0', { filesOnly: true });
    writeFileSync(join(device.folder, 'source', name, flag), '');
    const stuck = await device.order(name, '1.0.0');
    await device.gateway.hand('ota-updater', stuck);
    await noteOf(stuck.orderId, 'source-away');
    release(`7.0.0-${flag}`);
    expect((await device.update('kiosk', `7.0.0-${flag}`)).status).toBe('succeeded');
    expect(device.inPlace(name)).toBeUndefined();
    rmSync(join(device.folder, 'source', name, flag));
    expect((await device.ended(stuck.orderId)).status).toBe('succeeded');
  }
});

test('when an update waits for its moment, others are carried out meanwhile, but none of the same program', async () => {
  device.setPolicy(NEVER);
  release('7.2.0');
  const waiting = await device.order('kiosk', '7.2.0');
  await device.gateway.hand('ota-updater', waiting);
  await noteOf(waiting.orderId, 'no maintenance window');
  release('7.3.0');
  const behind = await device.order('kiosk', '7.3.0');
  await device.gateway.hand('ota-updater', behind);
  const preview = await device.update('kiosk', '7.3.0', { preview: true });
  expect(preview).toMatchObject({ status: 'succeeded', result: { preview: { version: '7.3.0' } } });
  device.release('passes', '1.0.0');
  const passing = await device.order('passes', '1.0.0');
  await device.gateway.hand('ota-updater', passing);
  await noteOf(passing.orderId, 'no maintenance window');
  expect(device.gateway.progress.some(({ orderId }) => orderId === behind.orderId)).toBe(false);
  device.setPolicy({});
  for (const { orderId } of [waiting, behind, passing])
    expect((await device.ended(orderId)).status).toBe('succeeded');
  expect(device.inPlace('kiosk')).toBe('7.3.0');
});

test('when the gateway is away, an update that was accepted is carried out, and told once it is back', async () => {
  // Put off for the want of the link no longer than that.
  device.setPolicy({ maxDeferSeconds: 0 });
  device.release('away', '1.0.0');
  device.dieAt(['after accepted']);
  const order = await device.order('away', '1.0.0');
  const died = device.updater?.exited;
  device.gateway.hand('ota-updater', order).catch(() => {});
  await died;
  await device.withoutGateway(async () => {
    device.start();
    await waitFor(() => device.inPlace('away') === '1.0.0', { what: 'the update without a gateway' });
  });
  expect((await device.ended(order.orderId)).status).toBe('succeeded');
  expect(device.gateway.reports.map(({ status }) => status)).toEqual(['started', 'succeeded']);
  device.setPolicy({});
});

test('when the journal is gone, what stands here and what failed here is known all the same', async () => {
  const minSecureVersion = '7.5.0';
  device.release('kiosk', '8.0.0', {
    files: { probe: GOOD },
    manifest: { probe: { command: ['probe'] }, minSecureVersion },
  });
  expect((await device.update('kiosk', '8.0.0')).status).toBe('succeeded');
  await device.updater?.kill();
  rmSync(join(device.folder, 'state/updates.journal'));
  device.start();
  // Ordered before, but in vain.
  expect(await device.update('kiosk', '3.0.0')).toMatchObject({ error: { code: 'denied-release' } });
  const status = JSON.parse(readFileSync(join(device.folder, 'state/status.json'), 'utf8')) as object;
  expect(status).toMatchObject({ installed: { kiosk: { version: '8.0.0', minSecureVersion } } });
});
