import type { Event } from '@bowline/messages';

/** What runs on this device. */
export interface Software {
  /** Of Bowline. */
  version: string;
  node: string;
  kernel: string;
  platform: string;
  arch: string;
  bootId: string;
}

/** Reported once for each: a new boot, or a new version within one. */
export const softwareKey = ({ version, bootId }: Software): string => `${bootId} ${version}`;

/** @param at the device's wall clock, epoch milliseconds. */
export const softwareRunning = (software: Software, at: number): Event => ({
  kind: 'software.running',
  severity: 'info',
  at: Math.round(at),
  data: { ...software },
});
