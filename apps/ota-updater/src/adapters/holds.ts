import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { overAt, type Clock, type Deadline } from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';
import type { Hold } from '../core/may-switch.ts';

/** Longest hold: whoever wants longer must want it again. */
export const LONGEST_HOLD_MS = 30 * 24 * 3600 * 1000;

type WallAndBoot = Pick<Clock, 'wallMs' | 'sinceBootMs'>;

/**
 * Holds of people and programs of this device, a file each: `FOLDER/OWNER.json` with `{ until, boot?, reason? }`
 * (libs/runtime, deadline.ts). As files they
 * count whether or not this app runs, and whoever may write the folder may set them (`bowline update hold`). One that is
 * over is removed; one that does not read counts until it is removed: somebody wanted it.
 */
export function readHolds(folder: string, clock: WallAndBoot, bootId: string): Hold[] {
  const nowMs = Math.round(clock.wallMs());
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
  return names.flatMap((name) => {
    const untilOf = (deadline: Deadline) => Math.round(overAt(deadline, clock, bootId));
    const hold = readHold(join(folder, name), name.slice(0, -'.json'.length), nowMs, untilOf);
    if (hold.until > nowMs) return [hold];
    rmSync(join(folder, name), { force: true });
    return [];
  });
}

function readHold(file: string, owner: string, nowMs: number, untilOf: (deadline: Deadline) => number): Hold {
  const latest = nowMs + LONGEST_HOLD_MS;
  try {
    const { until, boot, reason } = Object(JSON.parse(readFileSync(file, 'utf8'))) as Record<string, unknown>;
    if (typeof until === 'number')
      return {
        owner,
        until: Math.min(untilOf(isBoot(boot) ? { until, boot } : { until }), latest),
        ...(typeof reason === 'string' ? { reason: reason.slice(0, 200) } : {}),
      };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { owner, until: 0 };
  }
  return { owner, until: latest, reason: 'its file cannot be read' };
}

const isBoot = (value: unknown): value is NonNullable<Deadline['boot']> =>
  typeof value === 'object' &&
  value !== null &&
  'id' in value &&
  'untilMs' in value &&
  typeof value.untilMs === 'number';
