import type { Ed25519Jwk, EnrolmentDevice } from '@bowline/messages';
import { keys } from '../store/keys.ts';
import { parse, put, read, remove, within, type ServerStore } from '../store/server-store.ts';

/** A device that may connect. */
export interface DeviceRecord {
  deviceId: string;
  name: string;
  groups: string[];
  publicKey: Ed25519Jwk;
  /** RFC 7638, of the key. */
  thumbprint: string;
  enrolledAt: number;
  /** What the device said of itself when it enrolled. */
  about?: EnrolmentDevice;
  /** Revoked: no link, and no enrolment but by a token that was made for this device afterwards. */
  revokedAt?: number;
}

/** Which devices there are, by id and by key. */
export class DeviceDirectory {
  readonly #store: ServerStore;

  constructor(store: ServerStore) {
    this.#store = store;
  }

  get(deviceId: string): DeviceRecord | undefined {
    return read<DeviceRecord>(this.#store, keys.device(deviceId));
  }

  byKey(thumbprint: string): DeviceRecord | undefined {
    const owner = read<{ deviceId: string }>(this.#store, keys.key(thumbprint));
    const device = owner && this.get(owner.deviceId);
    return device?.thumbprint === thumbprint ? device : undefined;
  }

  /** By id. */
  list(): DeviceRecord[] {
    return this.#store.range(within(keys.devices)).map(({ value }) => parse<DeviceRecord>(value));
  }

  /** A new device, or a new key for a known one: the key that it had before is no longer good. */
  put(device: DeviceRecord): Promise<void> {
    const before = this.get(device.deviceId);
    const rekeyed = before !== undefined && before.thumbprint !== device.thumbprint;
    return this.#store.write([
      ...(rekeyed ? [remove(keys.key(before.thumbprint))] : []),
      put(keys.device(device.deviceId), device),
      put(keys.key(device.thumbprint), { deviceId: device.deviceId }),
    ]);
  }
}
