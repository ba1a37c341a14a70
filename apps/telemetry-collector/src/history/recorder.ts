import type { History } from '@bowline/history-store';
import type { Sample } from '@bowline/messages';
import { RELEASED_AT, type Clock, type Logger, type Timer } from '@bowline/runtime';
import { TransientError } from '@bowline/runtime/errors';
import type { SampleSink } from '../core/intake.ts';
import { corrected, type KnownOffset } from '../core/sample.ts';
import type { Reach, Spill } from './spill.ts';

export interface RecorderLimits {
  /** The longest that a sample waits in memory, milliseconds. */
  commitMs: number;
  /** Blocks are made, and room, this often, milliseconds. */
  sealMs: number;
  /** After a refusal the gateway gets everything for so long, milliseconds. */
  retryMs: number;
  /** And when so many samples have been recorded since: all of them are in memory while blocks are made. */
  sealSamples: number;
  /** Samples in memory that are recorded at once; ten times as many are the most that wait while the disk is full. */
  commitSamples: number;
}

export interface RecorderOptions {
  history: Pick<History, 'record' | 'tidying' | 'putRight'>;
  spill: Spill;
  limits: RecorderLimits;
  /** Asked with each sample: the hub's client knows when the gateway has gone. */
  reach(): Reach;
  /** The server's time, epoch milliseconds, if it is known. */
  serverMs(): number | undefined;
  /** Samples that the history alone was to have, and refused. */
  handBack(samples: readonly Sample[]): void;
  clock: Clock;
  log: Pick<Logger, 'warn' | 'info'>;
}

const MOST_WAITING = 10;

/** Puts accepted samples into the history: many at once, so that the flash is spared. It never throws at whoever accepts. */
export class Recorder implements SampleSink {
  readonly #options: RecorderOptions;
  #limits: RecorderLimits;
  /** Not recorded yet: those that the gateway gets as well, and those that only we have. */
  #waiting: { shared: Sample[]; own: Sample[] } = { shared: [], own: [] };
  #unrecorded = 0;
  /** Recorded since blocks were made last. */
  #unsealed = 0;
  /** Since then, for there are too many series. */
  #leftOut = 0;
  #isRefusing = false;
  /** The history has refused to put it right: again with the next blocks. */
  #toPutRight: KnownOffset | undefined;
  /** Blocks are being made, and room. */
  #tidying: Generator<void> | undefined;
  #commitTimer: Timer | undefined;
  #sealTimer: Timer | undefined;
  #turnTimer: Timer | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#limits = options.limits;
    this.#armSeal();
  }

  /** Samples that the gateway has and the history could not take. */
  get unrecorded(): number {
    return this.#unrecorded;
  }

  reconfigure(limits: RecorderLimits): void {
    this.#limits = limits;
    this.#commitTimer?.cancel();
    this.#commitTimer = undefined;
    this.#armCommit();
    this.#armSeal();
  }

  /** @returns whether the samples are ours alone, and nobody else is to hand them over. */
  add(samples: readonly Sample[], isHandedOver = false): boolean {
    const { spill, reach, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    spill.heard(reach(), nowMs);
    const isOwn = !isHandedOver && spill.isOn(nowMs);
    const { shared, own } = this.#waiting;
    for (const sample of samples) (isOwn ? own : shared).push(sample);
    if (shared.length + own.length >= this.#limits.commitSamples) this.commit();
    else this.#armCommit();
    return isOwn;
  }

  /** What waits from before the clock was right is put right, and what is recorded. */
  synchronised(boot: KnownOffset): boolean {
    const { shared, own } = this.#waiting;
    this.#waiting = {
      shared: shared.map((sample) => corrected(sample, boot)),
      own: own.map((sample) => corrected(sample, boot)),
    };
    this.#toPutRight = boot;
    return this.#putRight();
  }

  #putRight(): boolean {
    const boot = this.#toPutRight;
    if (boot === undefined) return true;
    const { history } = this.#options;
    const isDone = this.#tried(() => history.putRight(boot.bootId, (sample) => corrected(sample, boot)));
    if (isDone) this.#toPutRight = undefined;
    return isDone;
  }

  /** Records what waits. */
  commit(): void {
    const { clock, spill, handBack } = this.#options;
    this.#commitTimer?.cancel();
    this.#commitTimer = undefined;
    const { own } = this.#waiting;
    if (own.length > 0) {
      this.#waiting.own = [];
      const leftOut = this.#record(own, true);
      if (leftOut === undefined) spill.refused(clock.monotonicMs() + this.#limits.retryMs);
      if (leftOut?.length !== 0) handBack(leftOut ?? own);
    }
    const { shared } = this.#waiting;
    if (shared.length > 0) {
      const leftOut = this.#record(shared, false);
      if (leftOut === undefined) this.#bound();
      else this.#waiting.shared = [];
      this.#unrecorded += leftOut?.length ?? 0;
    }
    this.#sealIfMany();
  }

  /** Those that were left out, since there are too many series; undefined: none was recorded. */
  #record(samples: readonly Sample[], unsent: boolean): readonly Sample[] | undefined {
    const { history } = this.#options;
    let leftOut: readonly Sample[] = [];
    if (!this.#tried(() => void (leftOut = history.record(samples, { unsent })))) return undefined;
    this.#unsealed += samples.length - leftOut.length;
    this.#leftOut += leftOut.length;
    return leftOut;
  }

  /** Records what waits and reads the clock no more. */
  stop(): void {
    this.#sealTimer?.cancel();
    this.commit();
    this.#turnTimer?.cancel();
    this.#commitTimer?.cancel();
  }

  /** The gateway has them: the oldest are left out of the history, and counted. */
  #bound(): void {
    const { shared } = this.#waiting;
    const excess = shared.length - MOST_WAITING * this.#limits.commitSamples;
    if (excess > 0) {
      shared.splice(0, excess);
      this.#unrecorded += excess;
    }
    this.#armCommit();
  }

  #seal(): void {
    this.commit();
    this.#putRight();
    this.#makeBlocks();
    this.#armSeal();
  }

  #sealIfMany(): void {
    if (this.#unsealed >= this.#limits.sealSamples) this.#makeBlocks();
  }

  #makeBlocks(): void {
    const { history, serverMs, clock, log } = this.#options;
    if (this.#tidying !== undefined) return;
    this.#unsealed = 0;
    if (this.#leftOut > 0)
      log.warn({ samples: this.#leftOut }, 'not recorded: there are too many series; delivery goes on');
    this.#leftOut = 0;
    this.#tidying = history.tidying(presentOf(serverMs(), clock.wallMs()));
    this.#turn();
  }

  /** One step; then it is the turn of whoever else waits. */
  #turn(): void {
    let isDone = true;
    this.#tried(() => void (isDone = this.#tidying?.next().done ?? true));
    if (isDone) {
      this.#tidying = undefined;
      this.#sealIfMany();
    } else this.#turnTimer = this.#options.clock.after(0, () => this.#turn());
  }

  /** A full disk is said once, until there is room again. */
  #tried(work: () => void): boolean {
    const { log } = this.#options;
    try {
      work();
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      if (!this.#isRefusing)
        log.warn({ code: error.code }, `not recorded: ${error.message}; delivery goes on`);
      this.#isRefusing = true;
      return false;
    }
    if (this.#isRefusing) log.info({ unrecorded: this.#unrecorded }, 'recording again');
    this.#isRefusing = false;
    return true;
  }

  #armCommit(): void {
    const { shared, own } = this.#waiting;
    if (this.#commitTimer !== undefined || shared.length + own.length === 0) return;
    const { commitMs, retryMs } = this.#limits;
    const inMs = this.#isRefusing ? Math.max(retryMs, commitMs) : commitMs;
    this.#commitTimer = this.#options.clock.after(inMs, () => this.commit());
  }

  #armSeal(): void {
    this.#sealTimer?.cancel();
    this.#sealTimer = this.#options.clock.after(this.#limits.sealMs, () => this.#seal());
  }
}

/**
 * What ages count from: one clock that is far ahead, the server's or this device's, must not make all of the past too old. A
 * device's clock that has never been set says nothing.
 */
const presentOf = (serverMs: number | undefined, wallMs: number): number | undefined =>
  serverMs === undefined || wallMs < RELEASED_AT ? serverMs : Math.min(serverMs, wallMs);
