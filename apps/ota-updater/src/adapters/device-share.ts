import { createHash } from 'node:crypto';

/** First four bytes of SHA-256 over `SALT:DEVICE_ID`: where this device stands in a staged rollout. */
export const deviceShare = (salt: string, deviceId: string): number =>
  createHash('sha256').update(`${salt}:${deviceId}`).digest().readUInt32BE();
