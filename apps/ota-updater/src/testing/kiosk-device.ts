import { afterThisFile } from '@bowline/testing';
import { UpdateDevice } from './update-device.ts';

export const GOOD = '#!/bin/sh\nexit 0\n';
export const BAD = '#!/bin/sh\nexit 1\n';

export interface KioskDevice {
  device: UpdateDevice;
  /** Offers a release of `kiosk` that its probe alone judges. */
  release(version: string, probe?: string): void;
}

/** A device for the tests of one file, without processes and with trials that take no time. */
export async function openKioskDevice(): Promise<KioskDevice> {
  const device = await UpdateDevice.open({}, { processes: false });
  afterThisFile(() => device.close());
  device.trial = { ...device.trial, graceMs: 0, soakMs: 0 };
  device.start();
  return {
    device,
    release: (version, probe = GOOD) =>
      void device.release('kiosk', version, {
        files: { probe },
        manifest: { probe: { command: ['probe'] } },
      }),
  };
}
