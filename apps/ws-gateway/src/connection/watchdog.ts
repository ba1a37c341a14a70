import type { Clock, Timer } from '@bowline/runtime';

export type WatchdogVerdict = 'well' | 'ping' | 'silent' | 'stalled' | 'heartbeats-missed';

export interface WatchdogLimits {
  pingAfterMs: number;
  deadAfterMs: number;
  progressDeadlineMs: number;
  /** So many heartbeats in a row without an answer, though other frames may come. */
  missedHeartbeats: number;
  /** After something around the link changed, it must answer a ping within this. */
  probeDeadlineMs: number;
}

/** Half-open detection, purely (protocol, section 4): silence asks, longer silence ends, no progress, or no answer to heartbeats, closes 4408. */
export function judge(
  facts: {
    silentMs: number;
    stalledMs: number;
    pinged: boolean;
    probedMs: number | undefined;
    missed: number;
  },
  limits: WatchdogLimits,
): WatchdogVerdict {
  const { silentMs, stalledMs, pinged, probedMs, missed } = facts;
  if (silentMs >= limits.deadAfterMs || (probedMs ?? 0) >= limits.probeDeadlineMs) return 'silent';
  if (stalledMs >= limits.progressDeadlineMs) return 'stalled';
  if (missed >= limits.missedHeartbeats) return 'heartbeats-missed';
  return silentMs >= asksAfterMs(limits) && !pinged ? 'ping' : 'well';
}

/** Before a link is given up the server is asked, whatever was configured. */
const asksAfterMs = ({ pingAfterMs, deadAfterMs }: WatchdogLimits): number =>
  Math.min(pingAfterMs, deadAfterMs / 2);

const LONGEST_CHECK_MS = 1000;

/** Looks at one link about once a second. Any frame counts as a sign of life, pong too. */
export class Watchdog {
  readonly #clock: Clock;
  readonly #limits: WatchdogLimits;
  readonly #stalledMs: () => number;
  readonly #missedHeartbeats: () => number;
  readonly #act: (verdict: Exclude<WatchdogVerdict, 'well'>) => void;
  #heardAtMs: number;
  #pinged = false;
  #probedAtMs: number | undefined;
  #timer: Timer | undefined;

  constructor(options: {
    clock: Clock;
    limits: WatchdogLimits;
    stalledMs: () => number;
    missedHeartbeats: () => number;
    act: (verdict: Exclude<WatchdogVerdict, 'well'>) => void;
  }) {
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#stalledMs = options.stalledMs;
    this.#missedHeartbeats = options.missedHeartbeats;
    this.#act = options.act;
    this.#heardAtMs = options.clock.monotonicMs();
  }

  start(): void {
    const everyMs = Math.min(
      LONGEST_CHECK_MS,
      asksAfterMs(this.#limits) / 4,
      this.#limits.progressDeadlineMs / 4,
    );
    this.#timer = this.#clock.after(everyMs, () => {
      this.start();
      this.#look();
    });
  }

  /** Pings now; anything heard from here on ends the probe. */
  probe(): void {
    if (this.#probedAtMs !== undefined) return;
    this.#probedAtMs = this.#clock.monotonicMs();
    this.#act('ping');
  }

  heard(): void {
    this.#heardAtMs = this.#clock.monotonicMs();
    this.#pinged = false;
    this.#probedAtMs = undefined;
  }

  #look(): void {
    const now = this.#clock.monotonicMs();
    const facts = {
      silentMs: now - this.#heardAtMs,
      stalledMs: this.#stalledMs(),
      pinged: this.#pinged,
      missed: this.#missedHeartbeats(),
      probedMs: this.#probedAtMs === undefined ? undefined : now - this.#probedAtMs,
    };
    const verdict = judge(facts, this.#limits);
    if (verdict === 'well') return;
    if (verdict === 'ping') this.#pinged = true;
    this.#act(verdict);
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
