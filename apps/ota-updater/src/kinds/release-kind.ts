import type { Failure, PlannedRelease, Previous } from '../core/update-state.ts';

/** What is seen of a release that runs. */
export interface ProcessView {
  up: boolean;
  /** Since `switchTo`, or since this process looked first. */
  restarts: number;
}

/**
 * How releases of one kind take each other's place. Everything may be cut off anywhere and is called again, unless it says
 * otherwise.
 */
export interface ReleaseKind {
  /** Why a release like this is not taken, before anything is fetched. */
  refuse(plan: PlannedRelease): { code: string; message: string } | undefined;
  /** Where its tree is laid out. */
  treeOf(plan: PlannedRelease): string;
  /** Digest of what is in place under the name. */
  current(name: string): string | undefined;
  /**
   * Puts it in the place of what was there.
   *
   * @throws any error: the switch failed, and is rolled back.
   */
  switchTo(plan: PlannedRelease, signal: AbortSignal): Promise<void>;
  /** Whether `switchTo` that was cut off may be done again; else it is rolled back. */
  readonly repeatsSwitch: boolean;
  /** Takes up a trial that another life of this process began. */
  resumeTrial(plan: PlannedRelease): Promise<void>;
  /** undefined: it has no process. */
  observe(plan: PlannedRelease): Promise<ProcessView | undefined>;
  /** The trial was good. @throws any error: it is rolled back after all. */
  commit(plan: PlannedRelease): Promise<void>;
  /** Puts back what stood there before. @throws any error: the device stays degraded. */
  rollBack(plan: PlannedRelease, previous: Previous): Promise<void>;
  /** Last lines of what it wrote. */
  lastLines(plan: PlannedRelease): Promise<string[]>;
  /** After the end, whatever it was: removes what nobody needs. */
  tidy(plan: PlannedRelease, end: { failure?: Failure }): Promise<void>;
}
