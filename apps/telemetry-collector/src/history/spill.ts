/** What a sample would have to pass through. */
export interface Reach {
  /** The cloud is there. */
  online: boolean;
  /** The gateway is there, whatever its link. */
  gateway: boolean;
}

export interface SpillLimits {
  /** The cloud was away for so long, milliseconds; 0: never. */
  afterMs: number;
  /** The gateway was: what it does not take waits in memory alone. */
  gatewayAfterMs: number;
}

/**
 * Where samples go while the cloud is away. At first to the gateway, which keeps them for the next link; when it has been away
 * for longer, into the history alone: that takes a few bytes a sample instead of a hundred, thins before it drops, and hands
 * them over later at a pace (history-job.ts). While the gateway itself is away that comes sooner: only the history has a disk then.
 */
export class Spill {
  readonly #limits: () => SpillLimits;
  #offlineSinceMs: number | undefined;
  #aloneSinceMs: number | undefined;
  #notBeforeMs = -Infinity;

  /** @param nowMs monotonic; a start counts as the moment at which both went away. */
  constructor(limits: () => SpillLimits, nowMs: number) {
    this.#limits = limits;
    this.#offlineSinceMs = nowMs;
    this.#aloneSinceMs = nowMs;
  }

  heard({ online, gateway }: Reach, nowMs: number): void {
    this.#offlineSinceMs = online ? undefined : (this.#offlineSinceMs ?? nowMs);
    this.#aloneSinceMs = gateway ? undefined : (this.#aloneSinceMs ?? nowMs);
  }

  /** The history takes nothing: samples go to the gateway for so long. */
  refused(untilMs: number): void {
    this.#notBeforeMs = untilMs;
  }

  isOn(nowMs: number): boolean {
    const { afterMs, gatewayAfterMs } = this.#limits();
    if (afterMs === 0 || nowMs < this.#notBeforeMs) return false;
    const since = (moment: number | undefined) => (moment === undefined ? -Infinity : nowMs - moment);
    return since(this.#offlineSinceMs) >= afterMs || since(this.#aloneSinceMs) >= gatewayAfterMs;
  }
}
