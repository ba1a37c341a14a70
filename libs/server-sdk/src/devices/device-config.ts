import type { DeviceConfig, HeartbeatUp, UplinkPayload } from '@bowline/messages';

export type ConfigRecord = Omit<DeviceConfig, 'drift'>;

/** What a device says is in force, in hello and heartbeat. */
export function running(
  held: ConfigRecord | undefined,
  said: Pick<HeartbeatUp, 'configVersion' | 'configHash' | 'configSetHash'>,
): ConfigRecord | undefined {
  const { configVersion, configHash, configSetHash } = said;
  if (configVersion === undefined && configHash === undefined) return held;
  const { version: _, hash: __, setHash: ___, ...rest } = held ?? {};
  return {
    ...rest,
    ...(configVersion === undefined ? {} : { version: configVersion }),
    ...(configHash === undefined ? {} : { hash: configHash }),
    ...(configSetHash === undefined ? {} : { setHash: configSetHash }),
  };
}

/** The device's report on a document, with the hash of what is in force after it. Only one that was applied says what is to be found on the device from now on. */
export function reported(
  held: ConfigRecord | undefined,
  report: UplinkPayload<'configReport'>,
  at: number,
): ConfigRecord {
  const { version, status, hash, setHash } = report;
  const hashes = hash === undefined ? {} : { hash, ...(setHash === undefined ? {} : { setHash }) };
  const inForce =
    status === 'applied'
      ? { version, ...(hash === undefined ? {} : { applied: { version, ...hashes, hash } }) }
      : {};
  return { ...held, ...hashes, ...inForce, report: { ...report, at } };
}

export function wanted(
  held: ConfigRecord | undefined,
  want: NonNullable<DeviceConfig['wanted']>,
): ConfigRecord {
  return { ...held, wanted: want };
}

/** A version that no document of this device has had. */
export const nextVersion = ({ wanted: want, version, report }: ConfigRecord = {}): number =>
  Math.max(want?.version ?? 0, version ?? 0, report?.version ?? 0) + 1;

export function withDrift(held: ConfigRecord): DeviceConfig {
  const { wanted: want, version = 0, hash, setHash, applied } = held;
  if (want === undefined) return held;
  if (version !== want.version) return { ...held, drift: 'version' };
  if (applied?.version !== version || hash === undefined || applied.hash === hash) return held;
  // What is set is the same: the other values come with the software.
  const isSame = setHash !== undefined && applied.setHash === setHash;
  return { ...held, drift: isSame ? 'software' : 'local' };
}
