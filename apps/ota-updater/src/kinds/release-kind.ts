import type { Failure, PlannedRelease, Previous, Reboot } from '../core/update-state.ts';

/** What is seen of a release that runs. */
export interface ProcessView {
  up: boolean;
  /** Since `switchTo`, or since this process looked first. */
  restarts: number;
}

/** How a release takes effect that needs the device to be booted anew. */
export interface Reboots {
  /** Who is to reboot it, now that the release was put in place; undefined: nobody. @throws any error: it is rolled back. */
  wanted(plan: PlannedRelease): Promise<Reboot | undefined>;
  /** Begins a reboot; the device goes down some time after this returns. @throws any error: it will not. */
  reboot(plan: PlannedRelease, who: Reboot): Promise<void>;
  /** After that boot. @throws any error: it is rolled back. */
  verify(plan: PlannedRelease): Promise<void>;
  /** The same for the way back. @throws any error: it will not. */
  rebootBack(plan: PlannedRelease, who: Reboot): Promise<void>;
  /** @throws any error: another reboot may help. */
  verifyBack(plan: PlannedRelease): Promise<void>;
}

/**
 * How releases of one kind take each other's place. Everything may be cut off anywhere and is called again, unless it says
 * otherwise.
 */
export interface ReleaseKind {
  /** Why a release like this is not taken, before anything is fetched. */
  refuse(plan: PlannedRelease): { code: string; message: string } | undefined;
  /** The same, as soon as its tree is laid out. */
  refuseTree?(
    plan: PlannedRelease,
    signal: AbortSignal,
  ): Promise<{ code: string; message: string } | undefined>;
  /** The same, just before the switch. @throws TransientError: it is asked again. */
  refuseLaidOut?(plan: PlannedRelease): Promise<{ code: string; message: string } | undefined>;
  /** Where its tree is laid out. */
  treeOf(plan: PlannedRelease): string;
  /** Digest of what is in place under the name. */
  current(name: string): string | undefined;
  /**
   * Starts what is in place and should run, but does not.
   *
   * @returns whether anything had to be started. @throws TransientError: it is tried again.
   */
  startAgain?(plan: PlannedRelease): Promise<boolean>;
  /** Why it must not be switched to now, for a reason of this kind's alone; it is asked again. */
  whyNotNow?(): Promise<string | undefined>;
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
  /** Names in pm2 of those processes whose restart `observe` counts; absent: none. */
  processes?(plan: PlannedRelease): readonly string[];
  /** undefined: it has no process. */
  observe(plan: PlannedRelease): Promise<ProcessView | undefined>;
  /** The trial was good. @throws any error: it is rolled back after all. */
  commit(plan: PlannedRelease): Promise<void>;
  /** Puts back what stood there before. @throws any error: the device stays degraded. */
  rollBack(plan: PlannedRelease, previous: Previous, failure: Failure, signal: AbortSignal): Promise<void>;
  /** What somebody else, who watches from outside, has found against a release that is being tried. */
  failedOutside?(plan: PlannedRelease): Failure | undefined;
  /** Whether the server answers a program that is none of the release's; where it is absent this process asks. */
  outsideReaches?(previous: Previous, signal: AbortSignal): Promise<boolean>;
  /** undefined: its releases take effect without. */
  readonly reboots?: Reboots;
  /** What stood there before is back, or cannot be put back. May come again. */
  afterRollBack?(plan: PlannedRelease): Promise<void>;
  /** Last lines of what it wrote. */
  lastLines(plan: PlannedRelease): Promise<string[]>;
  /** After the end, whatever it was: removes what nobody needs. */
  tidy(plan: PlannedRelease, end: { failure?: Failure }): Promise<void>;
}
