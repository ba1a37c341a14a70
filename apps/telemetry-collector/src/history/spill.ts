/**
 * Where samples go while the cloud is away. At first to the gateway, which keeps them for the next link; when it has been away
 * for longer, into the history alone: that takes a few bytes a sample instead of a hundred, thins before it drops, and hands
 * them over later at a pace (history-job.ts).
 */
export class Spill {
  readonly #afterMs: () => number;
  #offlineSinceMs: number | undefined;
  #notBeforeMs = -Infinity;

  /** @param afterMs 0: never. @param nowMs monotonic; a start counts as the moment at which the cloud went away. */
  constructor(afterMs: () => number, nowMs: number) {
    this.#afterMs = afterMs;
    this.#offlineSinceMs = nowMs;
  }

  heard(isOnline: boolean, nowMs: number): void {
    if (isOnline) this.#offlineSinceMs = undefined;
    else this.#offlineSinceMs ??= nowMs;
  }

  /** The history takes nothing: samples go to the gateway for so long. */
  refused(untilMs: number): void {
    this.#notBeforeMs = untilMs;
  }

  isOn(nowMs: number): boolean {
    const afterMs = this.#afterMs();
    if (afterMs === 0 || this.#offlineSinceMs === undefined || nowMs < this.#notBeforeMs) return false;
    return nowMs - this.#offlineSinceMs >= afterMs;
  }
}
