import type { Rollout } from './operators.ts';

/** Devices that a rollout is for and that have not been given it: most of them are away. */
export const waitingOf = ({ devices, given, succeeded, failed, recalled }: Rollout): number =>
  Math.max(0, devices - given - succeeded - failed - recalled);
