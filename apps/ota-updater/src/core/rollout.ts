/** Part of a fleet that an order is for (claim `rollout`). */
export interface Rollout {
  /** 0 to 100. */
  percent: number;
  /** Makes another choice of devices for each campaign: not always the same ones go first. */
  salt: string;
}

/** 2^32: the share is the first four bytes of the hash, as a number below it. */
const SPAN = 2 ** 32;

/**
 * Where in the fleet this device stands for a campaign, 0 (first) to below 100. Raising `percent` under the same salt only
 * adds devices.
 *
 * @param hash the first four bytes of SHA-256 over `SALT:DEVICE_ID`, as an unsigned number.
 */
export const shareOf = (hash: number): number => (hash / SPAN) * 100;

export const isInRollout = (rollout: Rollout | undefined, hash: number): boolean =>
  rollout === undefined || shareOf(hash) < rollout.percent;
