import type { Rollout } from '@bowline/messages';
import { waitingOf, whyNobody } from '@bowline/messages/rollout-waiting';

/** How far a rollout is, in a line. */
export function rolloutLine(rollout: Rollout): string {
  const { devices, groupDevices, percent, given, succeeded, failed, recalled } = rollout;
  const parts = [
    `${devices} of ${groupDevices} devices (${percent} %)`,
    `${succeeded} done`,
    `${failed} failed`,
    `${given} under way`,
    `${waitingOf(rollout)} waiting`,
  ];
  if (recalled > 0) parts.push(`${recalled} called off`);
  return parts.join(', ');
}

/** What an operator should know or do beside that; undefined: nothing. */
export function rolloutAdvice(rollout: Rollout, nowMs: number): string | undefined {
  const { status, why, signedUntil, rolloutId } = rollout;
  if (status === 'stopped') return why === undefined ? undefined : `stopped ${why}`;
  const again = `bowline fleet rollout go-on ${rolloutId} --sign KEY`;
  if (status === 'paused') return `paused: ${why ?? ''}; to go on: ${again}`;
  const nobody = whyNobody(rollout);
  if (nobody !== undefined)
    return rollout.groupDevices === 0
      ? `${nobody} (bowline fleet tokens create --group ${rollout.group})`
      : `${nobody}; to begin: bowline fleet rollout widen ${rolloutId} PERCENT --sign KEY`;
  return signedUntil > nowMs ? undefined : `the signature has expired, nobody is given it any more: ${again}`;
}
