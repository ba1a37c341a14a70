import type { Clock } from './clock.ts';

/**
 * A moment to come, for a device whose clock may be set at any time: within the boot in which it was made, that boot's own clock
 * decides; in a later one the wall clock has to.
 */
export interface Deadline {
  /** By the wall clock, epoch milliseconds. */
  until: number;
  boot?: { id: string; untilMs: number };
}

export function deadlineIn(
  delayMs: number,
  clock: Pick<Clock, 'wallMs' | 'sinceBootMs'>,
  bootId: string,
): Deadline {
  return {
    until: Math.round(clock.wallMs() + delayMs),
    boot: { id: bootId, untilMs: Math.round(clock.sinceBootMs() + delayMs) },
  };
}

/** When it is over by the wall clock as that stands now, epoch milliseconds. */
export function overAt(
  { until, boot }: Deadline,
  clock: Pick<Clock, 'wallMs' | 'sinceBootMs'>,
  bootId: string,
): number {
  return boot?.id === bootId ? clock.wallMs() + boot.untilMs - clock.sinceBootMs() : until;
}
