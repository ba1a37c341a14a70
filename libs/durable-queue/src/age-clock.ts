/**
 * Time for decisions that outlive a process, without the wall clock (invariant 8): milliseconds since the store was made
 * that have passed for sure. Counted by the monotonic clock while a boot lasts; over a reboot by what is certain: the
 * new boot's uptime, or, once the server's time is known on both sides of it, the difference of those. So what expires may
 * live longer than its age, never shorter.
 */
export interface SavedAge {
  ms: number;
  bootId: string;
  monotonicMs: number;
  /** The last moment at which age and server time were both known, and the boot that it lay in. */
  anchor?: { ageMs: number; serverMs: number; bootId: string };
}

export interface ClockReading {
  bootId: string;
  /** Milliseconds since boot. */
  monotonicMs: number;
  /** Server time, epoch milliseconds, if it is known since this process began. */
  serverMs?: number | undefined;
}

export function ageMs(saved: SavedAge, now: ClockReading): number {
  const sinceSaved = now.bootId === saved.bootId ? now.monotonicMs - saved.monotonicMs : now.monotonicMs;
  const counted = saved.ms + Math.max(0, sinceSaved);
  const { anchor } = saved;
  // Within one boot the monotonic clock knows better than any server.
  if (anchor === undefined || anchor.bootId === now.bootId || now.serverMs === undefined) return counted;
  return Math.max(counted, anchor.ageMs + (now.serverMs - anchor.serverMs));
}

/** The same age, to be counted on from `now`. */
export function saveAge(saved: SavedAge, now: ClockReading): SavedAge {
  const ms = ageMs(saved, now);
  const anchor =
    now.serverMs === undefined ? saved.anchor : { ageMs: ms, serverMs: now.serverMs, bootId: now.bootId };
  return {
    ms,
    bootId: now.bootId,
    monotonicMs: now.monotonicMs,
    ...(anchor === undefined ? {} : { anchor }),
  };
}
