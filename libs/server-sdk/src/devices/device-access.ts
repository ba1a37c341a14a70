import type { Clock } from '@bowline/runtime/clock';
import { RejectedError } from '@bowline/runtime/errors';
import type { EnrolmentTokens } from '../enrolment/enrolment-tokens.ts';
import { keys, prefixesOf } from '../store/keys.ts';
import { parse, remove, within, type ServerStore } from '../store/server-store.ts';
import type { DeviceDirectory, DeviceRecord } from './device-directory.ts';
import type { DeviceStatusBook } from './device-status.ts';

export interface DeviceAccessPorts {
  store: ServerStore;
  devices: DeviceDirectory;
  status: DeviceStatusBook;
  tokens: EnrolmentTokens;
  clock: Clock;
  /** Ends every link of the device with 4403. */
  dismiss: (deviceId: string) => void;
}

/** So many records are removed in one commit, and others get their turn. */
const REMOVED_AT_ONCE = 256;

/** Whether a device may connect, as its operators decide (protocol, sections 1 and 6: 403, 4403). */
export class DeviceAccess {
  readonly #ports: DeviceAccessPorts;

  constructor(ports: DeviceAccessPorts) {
    this.#ports = ports;
  }

  /** Takes effect at once: open links end. Orders that wait stay. @throws RejectedError `unknown-device` */
  async revoke(deviceId: string): Promise<void> {
    const device = this.#known(deviceId);
    const { devices, status, clock, dismiss } = this.#ports;
    const written = devices.put({ ...device, revokedAt: device.revokedAt ?? clock.wallMs() });
    dismiss(deviceId);
    status.changed(deviceId);
    await written;
  }

  /** The device may connect again with the key that it had. @throws RejectedError `unknown-device` */
  async restore(deviceId: string): Promise<void> {
    const { revokedAt: _, ...device } = this.#known(deviceId);
    const written = this.#ports.devices.put(device);
    this.#ports.status.changed(deviceId);
    await written;
  }

  /**
   * Forgets the device and everything that it sent. If that is cut short the device is revoked and still listed: to be
   * called again.
   *
   * @throws RejectedError `unknown-device`
   */
  async decommission(deviceId: string): Promise<void> {
    const { store, devices, tokens } = this.#ports;
    await this.revoke(deviceId);
    await tokens.revokeOf(deviceId);
    for (const prefix of prefixesOf(deviceId)) await this.#removeAll(prefix);
    const { thumbprint } = devices.get(deviceId) ?? this.#known(deviceId);
    await store.write(
      [
        keys.key(thumbprint),
        keys.status(deviceId),
        keys.uplink(deviceId),
        keys.downlink(deviceId),
        keys.clocks(deviceId),
        keys.device(deviceId),
      ].map(remove),
    );
  }

  async #removeAll(prefix: string): Promise<void> {
    const { store } = this.#ports;
    for (;;) {
      const entries = store.range({ ...within(prefix), limit: REMOVED_AT_ONCE });
      if (entries.length === 0) return;
      const isOrder = prefix.startsWith('order/');
      await store.write(
        entries.flatMap(({ key, value }) => [
          remove(key),
          ...(isOrder ? [remove(keys.orderOwner(parse<{ orderId: string }>(value).orderId))] : []),
        ]),
      );
    }
  }

  #known(deviceId: string): DeviceRecord {
    const device = this.#ports.devices.get(deviceId);
    if (device !== undefined) return device;
    throw new RejectedError('unknown-device', 'this server does not know the device');
  }
}
