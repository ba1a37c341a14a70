import { createHash } from 'node:crypto';

/** Part of a fleet that an order is for (claim `rollout`). */
export interface Rollout {
  /** 0 to 100. */
  percent: number;
  /** Makes another choice of devices for each campaign: not always the same ones go first. */
  salt: string;
}

/** 2^32: the share is the first four bytes of the hash, as a number below it. */
const SPAN = 2 ** 32;

/** The first four bytes of SHA-256 over `SALT:DEVICE_ID`, as an unsigned number. */
export const deviceHash = (salt: string, deviceId: string): number =>
  createHash('sha256').update(`${salt}:${deviceId}`).digest().readUInt32BE();

/** Where in the fleet a device of this hash stands for a campaign, 0 (first) to below 100. */
export const shareOf = (hash: number): number => (hash / SPAN) * 100;

/**
 * Whether a staged rollout is for this device: the server picks by it, and the device checks it. Raising `percent` under the
 * same salt only adds devices.
 */
export const isInRollout = (rollout: Rollout | undefined, deviceId: string): boolean =>
  rollout === undefined || shareOf(deviceHash(rollout.salt, deviceId)) < rollout.percent;
