import type { Rollout } from './operators.ts';

/** Devices that a rollout is for and that have not been given it: most of them are away. */
export const waitingOf = ({ devices, given, succeeded, failed, recalled }: Rollout): number =>
  Math.max(0, devices - given - succeeded - failed - recalled);

/** Why a rollout that runs reaches no device at all as it stands; undefined: it is for some. */
export function whyNobody({ status, group, groupDevices, devices, percent }: Rollout): string | undefined {
  if (status !== 'running' || devices > 0) return undefined;
  if (groupDevices === 0)
    return `no device is in the group ${group} yet: each that joins it is given it when it connects`;
  return `${percent} % of ${groupDevices} devices is none of them`;
}
