import type { TrialView } from '../core/judge-trial.ts';
import type { PlannedRelease } from '../core/update-state.ts';
import type { EngineLimits } from './ports.ts';
import { askProbe } from './probe.ts';

/** Asks the probe of a release again and again, and keeps what it has said. */
export class ProbeWatch {
  readonly #probe: PlannedRelease['probe'];
  readonly #tree: string;
  readonly #limits: EngineLimits;
  #seen = { asked: false, badInARow: 0, lastBadMs: 0, why: '' };

  /** @param probe undefined: the release has none. @param tree in which it is run. */
  constructor(probe: PlannedRelease['probe'], tree: string, limits: EngineLimits) {
    this.#probe = probe;
    this.#tree = tree;
    this.#limits = limits;
  }

  /** undefined: the release has none. */
  get seen(): TrialView['probe'] {
    return this.#probe === undefined ? undefined : this.#seen;
  }

  /** @param elapsedMs since the release was started, also after the probe has answered. */
  async look(elapsedMs: () => number, signal: AbortSignal): Promise<void> {
    if (this.#probe === undefined) return;
    const timeoutMs = this.#probe.timeoutMs ?? this.#limits.probeTimeoutMs;
    const why = await askProbe(this.#probe, { tree: this.#tree, timeoutMs, signal });
    signal.throwIfAborted();
    const { badInARow, lastBadMs } = this.#seen;
    if (why === undefined) {
      this.#seen = { asked: true, badInARow: 0, lastBadMs, why: '' };
      return;
    }
    const nowMs = elapsedMs();
    // While it starts a bad probe is no news.
    const counts = nowMs >= this.#limits.graceMs;
    this.#seen = { asked: true, badInARow: counts ? badInARow + 1 : 1, lastBadMs: nowMs, why };
  }
}
