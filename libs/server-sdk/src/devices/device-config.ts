import type { DeviceConfig, UplinkPayload } from '@bowline/messages';

export type ConfigRecord = Omit<DeviceConfig, 'drift'>;

/** What a device says is in force, in hello and heartbeat. */
export function running(
  held: ConfigRecord | undefined,
  { configVersion, configHash }: { configVersion?: number; configHash?: string },
): ConfigRecord | undefined {
  if (configVersion === undefined && configHash === undefined) return held;
  const { version: _, hash: __, ...rest } = held ?? {};
  return {
    ...rest,
    ...(configVersion === undefined ? {} : { version: configVersion }),
    ...(configHash === undefined ? {} : { hash: configHash }),
  };
}

/** The device's report on a document. Only one that is in force says what is to be found on the device from now on. */
export function reported(
  held: ConfigRecord | undefined,
  report: UplinkPayload<'configReport'>,
  at: number,
): ConfigRecord {
  const { version, status, hash } = report;
  const inForce =
    status === 'applied'
      ? { version, ...(hash === undefined ? {} : { hash, applied: { version, hash } }) }
      : {};
  return { ...held, ...inForce, report: { ...report, at } };
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
  const { wanted: want, version = 0, hash, applied } = held;
  if (want === undefined) return held;
  if (version !== want.version) return { ...held, drift: 'version' };
  const isChanged = applied?.version === version && hash !== undefined && applied.hash !== hash;
  return isChanged ? { ...held, drift: 'local' } : held;
}
