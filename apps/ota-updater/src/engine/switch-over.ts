import { BowlineError, isDiskFull, TransientError, wait } from '@bowline/runtime';
import { judgeTrial, type TrialView } from '../core/judge-trial.ts';
import { OutsideReach } from '../core/outside-reach.ts';
import { progressOf } from '../core/progress.ts';
import type { Failure, Reboot, UpdateState } from '../core/update-state.ts';
import type { ReleaseKind } from '../kinds/release-kind.ts';
import { isSystemError } from './system-error.ts';
import type { EnginePorts } from './ports.ts';
import { ProbeWatch } from './probe-watch.ts';
import { Rebooting } from './rebooting.ts';
import { whyNotWell } from './why-not-well.ts';

type Switching = Extract<
  UpdateState,
  { phase: 'switching' | 'rebooting' | 'trial' | 'committing' | 'rolling-back' | 'rebooting-back' }
>;

type Phased<P extends Switching['phase']> = Extract<Switching, { phase: P }>;

/** Attempts to put the old release back before the device is called degraded. */
const ROLL_BACK_ATTEMPTS = 3;

/** From the switch to its end: trial, then committed or rolled back. */
export class SwitchOver {
  readonly #ports: EnginePorts;
  readonly #rebooting: Rebooting;
  /** The update whose switch this process began: what another life of it began is taken up. */
  #mine: string | undefined;

  constructor(ports: EnginePorts) {
    this.#ports = ports;
    this.#rebooting = new Rebooting(ports);
  }

  /** This process wrote that the switch of this update begins. */
  begins(orderId: string): void {
    this.#mine = orderId;
  }

  /** What was done could not be written down: it counts as cut off, as after a crash. */
  forgets(): void {
    this.#mine = undefined;
  }

  /** One step; ends after a record was appended. @throws the reason of `signal`, when the app ends. */
  async step(state: Switching, kind: ReleaseKind, signal: AbortSignal): Promise<void> {
    const failed = state.phase === 'rolling-back' ? undefined : kind.failedOutside?.(state.plan);
    if (failed !== undefined) return this.#giveBack(state, kind, failed);
    switch (state.phase) {
      case 'switching':
        return this.#switch(state, kind, signal);
      case 'rebooting': {
        const failure = await this.#rebooting.forth(state, kind, signal);
        return failure === undefined ? this.#beginTrial(state) : this.#giveBack(state, kind, failure);
      }
      case 'trial':
        return this.#trial(state, kind, signal);
      case 'committing':
        return this.#commit(state, kind, signal);
      case 'rolling-back':
        return this.#rollBack(state, kind, signal);
      case 'rebooting-back': {
        const end = await this.#rebooting.back(state, kind, signal);
        return end === undefined ? undefined : this.#rolledBack(state, kind, end.degraded);
      }
    }
  }

  async #switch(state: Switching, kind: ReleaseKind, signal: AbortSignal): Promise<void> {
    const { journal, progress, bootId } = this.#ports;
    const wasCutOff = this.#mine !== state.orderId;
    this.#mine = state.orderId;
    if (wasCutOff && !kind.repeatsSwitch)
      return this.#giveBack(state, kind, {
        code: 'interrupted',
        message: 'the installation was cut off, and cannot be repeated',
        deny: false,
      });
    progress(state.orderId, progressOf('switching', 0));
    let reboot: Reboot | undefined;
    try {
      await kind.switchTo(state.plan, signal);
      reboot = await kind.reboots?.wanted(state.plan);
    } catch (error) {
      signal.throwIfAborted();
      if (isDiskFull(error) && kind.repeatsSwitch) throw error;
      return this.#giveBack(state, kind, failureOf('switch-failed', error));
    }
    if (reboot === undefined) this.#beginTrial(state);
    else journal.append({ ...this.#head(state), type: 'rebooting', reboot, bootId });
  }

  #beginTrial(state: Switching): void {
    this.#ports.journal.append({ ...this.#head(state), type: 'trial', trial: 1, ...this.#sinceNow() });
  }

  async #trial(state: Phased<'trial'>, kind: ReleaseKind, signal: AbortSignal): Promise<void> {
    const { journal, bootId } = this.#ports;
    if (state.bootId !== bootId) {
      const again = { type: 'trial', trial: state.trial + 1, ...this.#sinceNow() } as const;
      return journal.append({ ...this.#head(state), ...again });
    }
    if (this.#mine !== state.orderId || state.trial > 1) await this.#takeUp(state, kind);
    this.#mine = state.orderId;

    try {
      await this.#watch(state, kind, signal);
    } finally {
      this.#ports.onTrial(undefined);
    }
  }

  /** Ends after a record was appended. */
  async #watch(state: Phased<'trial'>, kind: ReleaseKind, signal: AbortSignal): Promise<void> {
    const { journal, limits, clock, progress, isOnline } = this.#ports;
    const begunMs = clock.monotonicMs();
    const elapsed = () => clock.monotonicMs() - begunMs;
    const probe = new ProbeWatch(state.plan.probe, kind.treeOf(state.plan), limits);
    const outside = new OutsideReach(limits.linkBackMs);
    for (;;) {
      const elapsedMs = elapsed();
      this.#tellTrial(state, kind);
      let process: TrialView['process'];
      try {
        process = await kind.observe(state.plan);
      } catch (error) {
        if (!(error instanceof TransientError)) throw error;
        if (elapsedMs >= limits.trialMaxMs) return this.#giveBack(state, kind, unobservable(error));
        await wait(clock, limits.observeMs, signal);
        continue;
      }
      await probe.look(elapsed, signal);
      const { trial } = state;
      const { online: wasOnline } = state.previous;
      const online = isOnline();
      if (online) outside.forget();
      const { seen } = probe;
      const nowMs = clock.sinceBootMs();
      const view: TrialView = {
        elapsedMs,
        trialMs: nowMs - (state.begunMs ?? nowMs),
        trial,
        process,
        probe: seen,
        wasOnline,
        online,
        outsideReachesMs: outside.lastedMs(clock.monotonicMs()),
      };
      const verdict = judgeTrial(view, limits);
      if (verdict.kind === 'commit') return journal.append({ ...this.#head(state), type: 'committing' });
      if (verdict.kind === 'fail') {
        const { code, message, deny } = verdict;
        return this.#giveBack(state, kind, { code, message, deny });
      }
      if (verdict.kind === 'ask-outside' && outside.isDue(clock.monotonicMs())) {
        const reaches = await this.#outsideReaches(state, kind, signal);
        signal.throwIfAborted();
        outside.answered(reaches, clock.monotonicMs());
      }
      const done = elapsedMs / (limits.graceMs + limits.soakMs);
      progress(state.orderId, progressOf('trial', done, noteOf(view, seen?.why)));
      await wait(clock, limits.observeMs, signal);
    }
  }

  /** A person who has a process of it restarted would have it fail. */
  #tellTrial({ plan, begunMs }: Phased<'trial'>, kind: ReleaseKind): void {
    const { clock, limits, onTrial } = this.#ports;
    const processes = kind.processes?.(plan) ?? [];
    if (processes.length === 0) return;
    const nowMs = clock.sinceBootMs();
    const longestMs = limits.graceMs + limits.soakMs + limits.trialMaxMs;
    const leftMs = Math.max(0, longestMs - (nowMs - (begunMs ?? nowMs)));
    const release = `${plan.name} ${plan.version}`;
    onTrial({ release, processes: [...processes], endsBy: Math.round(clock.wallMs() + leftMs) });
  }

  #sinceNow(): { bootId: string; begunMs: number } {
    const { bootId, clock } = this.#ports;
    return { bootId, begunMs: Math.round(clock.sinceBootMs()) };
  }

  #outsideReaches({ previous }: Switching, kind: ReleaseKind, signal: AbortSignal): Promise<boolean> {
    return kind.outsideReaches?.(previous, signal) ?? this.#ports.outsideReaches(signal);
  }

  async #takeUp(state: Switching, kind: ReleaseKind): Promise<void> {
    try {
      await kind.resumeTrial(state.plan);
    } catch (error) {
      // What is wrong shows in the trial itself.
      this.#ports.log.warn({ orderId: state.orderId, error }, 'the trial could not be taken up as it was');
    }
  }

  async #commit(state: Switching, kind: ReleaseKind, signal: AbortSignal): Promise<void> {
    try {
      await kind.commit(state.plan);
    } catch (error) {
      signal.throwIfAborted();
      return this.#giveBack(state, kind, failureOf('commit-failed', error));
    }
    this.#ports.journal.append({ ...this.#head(state), type: 'committed' });
  }

  /** The last lines are taken while it is still there. */
  async #giveBack(state: Switching, kind: ReleaseKind, failure: Failure): Promise<void> {
    let log: string[] = [];
    try {
      log = await kind.lastLines(state.plan);
    } catch (error) {
      this.#ports.log.warn({ orderId: state.orderId, error }, 'its last lines cannot be read');
    }
    const { orderId } = state;
    this.#ports.log.error({ orderId, code: failure.code, lines: log }, `rolling back: ${failure.message}`);
    const whole = log.length === 0 ? failure : { ...failure, log };
    this.#ports.journal.append({ ...this.#head(state), type: 'rolling-back', failure: whole });
  }

  /** Once: if the old one does not stand either, the device stays up as it is and says so. */
  async #rollBack(state: Phased<'rolling-back'>, kind: ReleaseKind, signal: AbortSignal): Promise<void> {
    const { journal, progress } = this.#ports;
    progress(state.orderId, progressOf('rolling-back', 0));
    const stuck = await this.#putBack(state, kind, signal);
    if (stuck === undefined && state.reboot !== undefined) {
      const { bootId } = this.#ports;
      return journal.append({ ...this.#head(state), type: 'rebooting-back', bootId, attempt: 1 });
    }
    return this.#rolledBack(state, kind, stuck ?? (await this.#whyDegraded(state, kind, signal)));
  }

  async #rolledBack(state: Switching, kind: ReleaseKind, degraded: string | undefined): Promise<void> {
    await kind.afterRollBack?.(state.plan);
    const record = { ...this.#head(state), type: 'rolled-back' } as const;
    this.#ports.journal.append(degraded === undefined ? record : { ...record, degraded });
  }

  async #putBack(
    state: Phased<'rolling-back'>,
    kind: ReleaseKind,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { clock, limits } = this.#ports;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await kind.rollBack(state.plan, state.previous, state.failure, signal);
        return undefined;
      } catch (error) {
        signal.throwIfAborted();
        if (isDiskFull(error)) throw error;
        if (attempt >= ROLL_BACK_ATTEMPTS) return `it could not be put back: ${(error as Error).message}`;
      }
      await wait(clock, limits.observeMs, signal);
    }
  }

  async #whyDegraded(state: Switching, kind: ReleaseKind, signal: AbortSignal): Promise<string | undefined> {
    const { digest = '' } = state.previous;
    const why = await whyNotWell(this.#ports, kind, { ...state.plan, digest }, signal);
    return why && `the release before is not well either: ${why}`;
  }

  #head({ orderId }: UpdateState) {
    return { orderId, at: Math.round(this.#ports.clock.wallMs()) };
  }
}

/** What passes by itself, or hangs on what stands here already, is not the release's fault. */
const NOT_ITS_FAULT = ['pm2-away', 'pm2-slow', 'restart-refused', 'data-format-newer'];

function failureOf(code: string, error: unknown): Failure {
  if (!(error instanceof Error)) throw error;
  const passes =
    isDiskFull(error) ||
    isSystemError(error) ||
    (error instanceof BowlineError && NOT_ITS_FAULT.includes(error.code));
  return { code, message: error.message, deny: !passes };
}

const unobservable = (error: Error): Failure => ({
  code: 'inconclusive',
  message: `inconclusive: it could not be observed: ${error.message}`,
  deny: false,
});

function noteOf({ wasOnline, online }: TrialView, probeWhy: string | undefined): { note?: string } {
  if (probeWhy !== undefined && probeWhy !== '') return { note: probeWhy };
  return wasOnline && !online ? { note: 'the link to the cloud is down' } : {};
}
