import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { BAD, openKioskDevice, type KioskDevice } from '../testing/kiosk-device.ts';

let device: KioskDevice['device'];
let release: KioskDevice['release'];
beforeAll(async () => {
  ({ device, release } = await openKioskDevice());
});

test('when the release before is back and its own probe is bad, the device is degraded, and says so', async () => {
  const asks = '#!/bin/sh\n[ ! -e ../broken ] || { echo "no database"; exit 1; }\n';
  release('4.0.0', asks);
  expect((await device.update('kiosk', '4.0.0')).status).toBe('succeeded');
  writeFileSync(join(device.folder, 'releases/kiosk/broken'), '');
  release('5.0.0', BAD);
  expect((await device.update('kiosk', '5.0.0')).result).toMatchObject({
    degraded: expect.stringMatching(/^the release before is not well either: its probe .*no database/),
  });
  expect(device.inPlace('kiosk')).toBe('4.0.0');
});
