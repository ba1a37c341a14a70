import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bootId, readJsonIfPresent, type Clock, type Logger, type ServerClock } from '@bowline/runtime';
import type { Moment } from '../core/sample.ts';
import { Timeline, type HeldOffset } from '../core/timeline.ts';
import { SpareFile } from './spare-file.ts';

/** The wall clock counts as right if it is this close to the server's time. */
const CLOSE_MS = 5000;
/** The offset is written down when it has moved this far, less than a restart takes: drift costs the flash a few writes a day. */
const WORTH_WRITING_MS = 250;
/** After a disk did not take it. */
const RETRY_MS = 60_000;

export interface DeviceMomentOptions {
  serverClock: ServerClock;
  clockSynchronisedFile: string;
  /** Remembers the offset over restarts within one boot. */
  stateDir: string;
  /**
   * From now on it is known to what moment a monotonic time of this boot belongs. Called again by the next life, until it has
   * resolved to true: everybody knows, durably.
   */
  onSynchronised(boot: { bootId: string; offsetMs: number }): Promise<boolean>;
  log: Pick<Logger, 'warn'>;
}

/** What is kept over restarts. */
interface Kept extends HeldOffset {
  /** The offset with which the clock became right, as long as not everybody is known to know it. */
  toTellMs?: number;
}

/**
 * What is known of now. The wall clock is trusted when systemd-timesyncd has set it since boot, or when it agrees with the
 * time of the server; Node cannot ask the kernel itself (adjtimex).
 */
export function deviceMoment(
  clock: Clock,
  { serverClock, clockSynchronisedFile, stateDir, onSynchronised, log }: DeviceMomentOptions,
): () => Moment {
  const thisBoot = bootId();
  const path = join(stateDir, 'clock.json');
  const file = new SpareFile(path, log);
  let written = readKept(path, thisBoot);
  let toTellMs = written?.toTellMs;
  let notBeforeMs = -Infinity;
  const timeline = new Timeline(written);
  const keep = (monoMs: number) => {
    const { held } = timeline;
    if (held === undefined || monoMs < notBeforeMs) return;
    const kept = { ...held, ...(toTellMs === undefined ? {} : { toTellMs }) };
    if (!isNews(kept, written)) return;
    if (file.write(JSON.stringify({ bootId: thisBoot, ...kept }))) written = kept;
    else notBeforeMs = monoMs + RETRY_MS;
  };
  const tell = async (offsetMs: number) => {
    if (!(await onSynchronised({ bootId: thisBoot, offsetMs }))) return;
    toTellMs = undefined;
    keep(sinceBootMs());
  };
  if (toTellMs !== undefined) void tell(toTellMs);
  return () => {
    const wallMs = clock.wallMs();
    const monoMs = sinceBootMs();
    const serverMs = serverClock.nowMs();
    const trusted =
      (serverMs !== undefined && Math.abs(serverMs - wallMs) <= CLOSE_MS) ||
      existsSync(clockSynchronisedFile);
    const { at, quality, synchronisedNow } = timeline.now({ wallMs, monoMs, trusted });
    if (synchronisedNow) toTellMs = at - monoMs;
    keep(monoMs);
    if (synchronisedNow) void tell(at - monoMs);
    return { at, monoMs, bootId: thisBoot, quality };
  };
}

const isNews = (held: Kept, written: Kept | undefined): boolean =>
  written?.synchronised !== held.synchronised ||
  written.toTellMs !== held.toTellMs ||
  Math.abs(written.offsetMs - held.offsetMs) >= WORTH_WRITING_MS;

/** Nothing if it is of another boot, or does not read: then the wall clock is asked anew. */
function readKept(file: string, thisBoot: string): Kept | undefined {
  const value = readJsonIfPresent(file);
  if (typeof value !== 'object' || value === null) return undefined;
  const { bootId: ofBoot, offsetMs, synchronised, toTellMs } = value as Record<string, unknown>;
  if (ofBoot !== thisBoot || typeof offsetMs !== 'number' || typeof synchronised !== 'boolean')
    return undefined;
  return { offsetMs, synchronised, ...(typeof toTellMs === 'number' ? { toTellMs } : {}) };
}

/** CLOCK_MONOTONIC counts from boot and is the same for every process, unlike `performance.now()`. */
const sinceBootMs = (): number => Number(process.hrtime.bigint()) / 1_000_000;
