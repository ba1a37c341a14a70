import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bootId, readJsonIfPresent, writeFileDurably, type Clock, type ServerClock } from '@bowline/runtime';
import type { Moment } from '../core/sample.ts';
import { Timeline, type HeldOffset } from '../core/timeline.ts';

/** The wall clock counts as right if it is this close to the server's time. */
const CLOSE_MS = 5000;
/** The offset is written down when it has moved this far, less than a restart takes: drift costs the flash a few writes a day. */
const WORTH_WRITING_MS = 250;

export interface DeviceMomentOptions {
  serverClock: ServerClock;
  clockSynchronisedFile: string;
  /** Remembers the offset over restarts within one boot. */
  stateDir: string;
  /** From now on it is known to what moment a monotonic time of this boot belongs. */
  onSynchronised(boot: { bootId: string; offsetMs: number }): void;
}

/**
 * What is known of now. The wall clock is trusted when systemd-timesyncd has set it since boot, or when it agrees with the
 * time of the server; Node cannot ask the kernel itself (adjtimex).
 */
export function deviceMoment(
  clock: Clock,
  { serverClock, clockSynchronisedFile, stateDir, onSynchronised }: DeviceMomentOptions,
): () => Moment {
  const thisBoot = bootId();
  const file = join(stateDir, 'clock.json');
  let written = readHeld(file, thisBoot);
  const timeline = new Timeline(written);
  return () => {
    const wallMs = clock.wallMs();
    const monoMs = sinceBootMs();
    const serverMs = serverClock.nowMs();
    const trusted =
      (serverMs !== undefined && Math.abs(serverMs - wallMs) <= CLOSE_MS) ||
      existsSync(clockSynchronisedFile);
    const { at, quality, synchronisedNow } = timeline.now({ wallMs, monoMs, trusted });
    const { held } = timeline;
    if (held !== undefined && isNews(held, written)) {
      written = held;
      writeFileDurably(file, JSON.stringify({ bootId: thisBoot, ...held }));
    }
    if (synchronisedNow) onSynchronised({ bootId: thisBoot, offsetMs: at - monoMs });
    return { at, monoMs, bootId: thisBoot, quality };
  };
}

const isNews = (held: HeldOffset, written: HeldOffset | undefined): boolean =>
  written?.synchronised !== held.synchronised ||
  Math.abs(written.offsetMs - held.offsetMs) >= WORTH_WRITING_MS;

/** Nothing if it is of another boot, or does not read: then the wall clock is asked anew. */
function readHeld(file: string, thisBoot: string): HeldOffset | undefined {
  const value = readJsonIfPresent(file);
  if (typeof value !== 'object' || value === null) return undefined;
  const { bootId: ofBoot, offsetMs, synchronised } = value as Record<string, unknown>;
  return ofBoot === thisBoot && typeof offsetMs === 'number' && typeof synchronised === 'boolean'
    ? { offsetMs, synchronised }
    : undefined;
}

/** CLOCK_MONOTONIC counts from boot and is the same for every process, unlike `performance.now()`. */
const sinceBootMs = (): number => Number(process.hrtime.bigint()) / 1_000_000;
