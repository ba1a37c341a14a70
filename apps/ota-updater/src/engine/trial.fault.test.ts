import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@bowline/testing';
import { afterAll, expect, test } from 'vitest';
import { UpdateDevice } from '../testing/update-device.ts';

let device: UpdateDevice;
afterAll(() => device.close());

test('when the updater is killed again and again within a trial, the trial ends in its time, and the release is not denied', async () => {
  device = await UpdateDevice.open({}, { processes: false });
  device.trial = { ...device.trial, graceMs: 0, soakMs: 30_000, trialMaxMs: 1 };
  device.start();
  const files = { probe: '#!/bin/sh\nexit 0\n' };
  device.release('kiosk', '1.0.0', { files, manifest: { probe: { command: ['probe'] } } });
  const order = await device.order('kiosk', '1.0.0');
  await device.gateway.hand('ota-updater', order);
  const tried = () => device.gateway.progress.some(({ data }) => data?.['phase'] === 'trial');
  await waitFor(tried, { what: 'the trial' });
  await device.updater?.kill();
  // What counts is when this boot began it, not what one process has seen of it.
  device.trial = { ...device.trial, soakMs: 500 };
  const journal = readFileSync(join(device.folder, 'state/updates.journal'), 'utf8');
  const begunMs = Number(/"begunMs":(\d+)/.exec(journal)?.[1]);
  await waitFor(() => uptime() * 1000 - begunMs > 600, { what: 'its time to be over' });
  device.start();
  const end = await device.ended(order.orderId);
  expect(end.error).toMatchObject({ code: 'inconclusive' });
  device.trial = { ...device.trial, soakMs: 0, trialMaxMs: 5000 };
  await device.updater?.kill();
  device.start();
  expect((await device.update('kiosk', '1.0.0')).status).toBe('succeeded');
  // Only those of Bowline itself have configurations wait.
  expect(device.gateway.configHolds.filter(({ forMs }) => forMs > 0)).toEqual([]);
});
