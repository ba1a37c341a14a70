import { existsSync, rmSync } from 'node:fs';
import { backoffMs } from '@bowline/runtime/backoff';
import {
  BowlineError,
  isDiskFull,
  mayPass,
  RejectedError,
  RELEASED_AT,
  TransientError,
  wait,
} from '@bowline/runtime';
import { isHeld, waitedMs, whyNotNow } from '../core/may-switch.ts';
import { letsOthersPass } from '../core/in-line.ts';
import { fetchProgress, progressOf } from '../core/progress.ts';
import {
  isEnded,
  planOf,
  type Failure,
  type PlannedRelease,
  type UpdateState,
} from '../core/update-state.ts';
import type { ReleaseKind } from '../kinds/release-kind.ts';
import type { ReleasePlan } from '../supply/release-source.ts';
import { isSystemError } from './system-error.ts';
import { isTreeSound, layOutTree } from './laid-out.ts';
import { whyNotWell } from './why-not-well.ts';
import type { OutcomeTeller } from './outcome-teller.ts';
import type { EnginePorts } from './ports.ts';

/** So long the source is asked, just before the switch, whether it still has what waited. */
const ASK_AGAIN_MS = 30_000;
/** Pause before a look at the server after a failure that may pass: it never gives up for good. */
const RETRY = { baseMs: 2000, capMs: 300_000, minMs: 500 };

/** From the order to a tree that is laid out and may be switched to: nothing that runs changes. */
export class Preparation {
  readonly #ports: EnginePorts;
  readonly #teller: OutcomeTeller;
  /** As it was resolved last by this process; the journal has only what must survive. */
  #resolved: ReleasePlan | undefined;
  /** Digest of the tree that this process has looked at, and nobody has had time to spoil since. */
  #sound: string | undefined;
  /** Of each order that failed in a way that may pass: how often in a row, and when it is tried again, monotonic. */
  readonly #failed = new Map<string, { times: number; dueMs: number }>();
  /** When it is looked again whether an order may go on, monotonic. */
  readonly #looks = new Map<string, number>();
  /** When the last byte of the contents came, or their fetch began, monotonic. */
  #lastByteMs = 0;

  constructor(ports: EnginePorts, teller: OutcomeTeller) {
    this.#ports = ports;
    this.#teller = teller;
  }

  /** When an order may be tried again, monotonic; 0: at once. */
  dueMs(orderId: string): number {
    return Math.max(this.#failed.get(orderId)?.dueMs ?? 0, this.#looks.get(orderId) ?? 0);
  }

  forget(orderId: string): void {
    this.#failed.delete(orderId);
    this.#looks.delete(orderId);
  }

  /** One step; ends after a record was appended, after a pause, or once it is known when to go on ({@link dueMs}). @throws the reason of `signal`. */
  async step(state: UpdateState, signal: AbortSignal): Promise<void> {
    try {
      await this.#step(state, signal);
      this.#failed.delete(state.orderId);
    } catch (error) {
      signal.throwIfAborted();
      if (isDiskFull(error)) {
        const full = new TransientError('no-space', (error as Error).message, { cause: error });
        return this.#tryLater(state, full, signal);
      }
      if (isSystemError(error)) {
        const failed = new TransientError('disk-failed', (error as Error).message, { cause: error });
        return this.#tryLater(state, failed, signal);
      }
      if (mayPass(error)) return this.#tryLater(state, error as BowlineError, signal);
      if (!(error instanceof BowlineError)) throw error;
      this.#fail(state, { code: error.code, message: error.message, deny: false });
    }
  }

  async #step(state: UpdateState, signal: AbortSignal): Promise<void> {
    switch (state.phase) {
      case 'accepted':
      case 'deferred':
        return this.#begin(state, signal);
      case 'fetching':
        return this.#fetch(state, signal);
      case 'verified':
        return this.#ports.journal.append({ ...this.#head(state), type: 'staging' });
      case 'staging':
        return this.#stage(state, signal);
      case 'staged':
      case 'waiting':
        return this.#awaitMoment(state, signal);
    }
  }

  async #begin(state: UpdateState, signal: AbortSignal): Promise<void> {
    const { journal } = this.#ports;
    const { orderId, order } = state;
    if (!this.#ports.isInRollout(order))
      return this.#fail(state, {
        code: 'outside-rollout',
        message: `this device is not among the first ${order.rollout?.percent ?? 100} %`,
        deny: false,
      });
    this.#teller.tellStart(orderId);
    if (await this.#isHeldStill(state, signal)) return;
    const resolved = await this.#resolve(state, signal);
    const plan = journaled(resolved);
    const refusal = await this.#refusal(plan, state);
    const view = await this.#view(state);
    signal.throwIfAborted();
    const head = this.#head(state);
    if (order.preview === true) {
      const preview = { ...plan, verdict: refusal?.message ?? 'allowed', now: whyNotNow(view) ?? 'yes' };
      return journal.append({ ...head, type: 'previewed', plan, preview });
    }
    if (refusal !== undefined) return this.#fail(state, { ...refusal, deny: false }, plan);
    if (this.#isInPlace(plan)) return this.#keep(state, plan, signal);
    const hold = isHeld(view);
    this.#lastByteMs = this.#ports.clock.monotonicMs();
    if (hold === undefined) return journal.append({ ...head, type: 'fetching', plan });
    this.#stay(state, whyNotNow(view) ?? `held by ${hold.owner}`, plan);
  }

  async #fetch(state: UpdateState, signal: AbortSignal): Promise<void> {
    const { sourceOf, progress, journal } = this.#ports;
    const view = await this.#view(state);
    if (isHeld(view) !== undefined)
      return journal.append({ ...this.#head(state), type: 'deferred', why: whyNotNow(view) ?? 'held' });
    const plan = await this.#resolve(state, signal);
    // A hold stops what is under way, too; what was fetched is not fetched again.
    const held = new AbortController();
    const watch = setInterval(() => {
      this.#view(state).then(
        (now) => isHeld(now) !== undefined && held.abort(new RejectedError('held', 'held')),
        (error: unknown) => this.#ports.log.warn({ orderId: state.orderId, error }, 'holds cannot be read'),
      );
    }, this.#ports.limits.lookMs);
    try {
      await sourceOf(state).fetch(
        plan,
        ({ bytes, totalBytes, bytesPerSecond }) => {
          if (bytes > 0) this.#lastByteMs = this.#ports.clock.monotonicMs();
          progress(state.orderId, fetchProgress(bytes, totalBytes, bytesPerSecond));
        },
        AbortSignal.any([signal, held.signal]),
      );
    } catch (error) {
      if (!held.signal.aborted) throw error;
      signal.throwIfAborted();
      return; // the next step finds the hold
    } finally {
      clearInterval(watch);
    }
    signal.throwIfAborted();
    journal.append({ ...this.#head(state), type: 'verified' });
  }

  async #stage(state: UpdateState, signal: AbortSignal): Promise<void> {
    const { sourceOf, journal, checkpoint = () => {} } = this.#ports;
    const plan = await this.#resolve(state, signal);
    const tree = this.#kind(plan).treeOf(plan);
    this.#ports.progress(state.orderId, progressOf('staging', 0));
    if (!(await layOutTree(sourceOf(state), plan, tree, { signal, checkpoint })))
      return journal.append({ ...this.#head(state), type: 'fetching', plan: journaled(plan) });
    const refusal = await this.#kind(plan).refuseTree?.(plan, signal);
    signal.throwIfAborted();
    if (refusal !== undefined) return this.#fail(state, { ...refusal, deny: false });
    journal.append({ ...this.#head(state), type: 'staged' });
    this.#sound = plan.digest;
  }

  async #awaitMoment(state: UpdateState, signal: AbortSignal): Promise<void> {
    const { journal, isOnline, linkServer } = this.#ports;
    const plan = planOf(state);
    if (plan === undefined) return;
    const why = whyNotNow(await this.#view(state)) ?? (await this.#kind(plan).whyNotNow?.());
    signal.throwIfAborted();
    if (why === undefined) {
      const isSound =
        this.#sound === plan.digest || (await isTreeSound(this.#kind(plan).treeOf(plan), signal));
      if (!isSound) return journal.append({ ...this.#head(state), type: 'fetching', plan });
      if (state.phase === 'waiting') await this.#mustBeThereStill(state, plan, signal);
      const refusal = await this.#kind(plan).refuseLaidOut?.(plan);
      signal.throwIfAborted();
      if (refusal !== undefined) return this.#fail(state, { ...refusal, deny: false });
      const digest = this.#standing(plan);
      const server = await linkServer();
      signal.throwIfAborted();
      const previous = {
        online: isOnline(),
        ...(digest === undefined ? {} : { digest }),
        ...(server === undefined ? {} : { server }),
      };
      return journal.append({ ...this.#head(state), type: 'switching', previous });
    }
    this.#sound = undefined;
    this.#ports.progress(state.orderId, progressOf('waiting', 0, { note: why }));
    this.#lookLater(state);
    if (state.phase !== 'waiting' || state.why !== why)
      journal.append({ ...this.#head(state), type: 'waiting', why });
  }

  /** Where the journal lost how far the switch had come, the new release stands there already. */
  #standing({ name, digest, kind }: PlannedRelease): string | undefined {
    const current = this.#ports.kindOf({ kind })?.current(name);
    return current === digest ? this.#ports.journal.ledger.installed(name)?.digest : current;
  }

  /** The release of an update that has begun is the one that was planned, even if there is a newer one by now. */
  async #resolve(state: UpdateState, signal: AbortSignal): Promise<ReleasePlan> {
    const digest = planOf(state)?.digest;
    const { order } = state;
    const begun = digest !== undefined && state.phase !== 'deferred';
    if (begun && this.#resolved?.digest === digest) return this.#resolved;
    const wanted = begun ? { ...order, digest } : order;
    this.#resolved = await this.#ports.sourceOf(state).resolve(wanted, signal, begun);
    signal.throwIfAborted();
    return this.#resolved;
  }

  /** While somebody holds it, nobody is asked what it is. */
  async #isHeldStill(state: UpdateState, signal: AbortSignal): Promise<boolean> {
    const plan = planOf(state);
    if (plan === undefined || state.order.preview === true) return false;
    const view = await this.#view(state);
    signal.throwIfAborted();
    if (isHeld(view) === undefined) return false;
    this.#stay(state, whyNotNow(view) ?? 'held', plan);
    return true;
  }

  /** What waited for days may have been withdrawn. A source that is away has no say in that. @throws RejectedError: it was. */
  async #mustBeThereStill(
    state: UpdateState,
    { digest }: PlannedRelease,
    signal: AbortSignal,
  ): Promise<void> {
    const until = AbortSignal.any([signal, AbortSignal.timeout(ASK_AGAIN_MS)]);
    const { orderId, order } = state;
    try {
      await this.#ports.sourceOf(state).resolve({ ...order, digest }, until, true);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof RejectedError) throw error;
      this.#ports.log.warn({ orderId, error }, 'whether the release was withdrawn cannot be told');
    }
  }

  async #refusal(plan: PlannedRelease, { order }: UpdateState) {
    const kind = this.#ports.kindOf(plan);
    if (kind === undefined)
      return { code: 'unknown-kind', message: `this device has nothing that installs ${plan.kind}` };
    const refused = kind.refuse(plan) ?? (await this.#ports.judge(plan, order));
    if (refused !== undefined) return refused;
    const denied = this.#ports.journal.ledger.denied(plan.digest);
    if (denied === undefined || order.retryFailed === true) return undefined;
    const message = `this release has failed here before (${denied.code}: ${denied.message}); an order with retryFailed tries it again`;
    return { code: 'denied-release', message };
  }

  #isInPlace(plan: PlannedRelease): boolean {
    return this.#kind(plan).current(plan.name) === plan.digest;
  }

  /** It is in place already: nothing changes, but that it runs. */
  async #keep(state: UpdateState, plan: PlannedRelease, signal: AbortSignal): Promise<void> {
    const { journal, log, progress } = this.#ports;
    const { orderId } = state;
    const kind = this.#kind(plan);
    const started = (await kind.startAgain?.(plan)) ?? false;
    signal.throwIfAborted();
    if (!started) return journal.append({ ...this.#head(state), type: 'committed', plan });
    log.warn({ orderId, name: plan.name }, 'a program that is in place did not run: started');
    progress(
      orderId,
      progressOf('trial', 0, { note: 'it is in place already; it did not run, and was started' }),
    );
    const why = await whyNotWell(this.#ports, kind, plan, signal);
    signal.throwIfAborted();
    if (why === undefined) return journal.append({ ...this.#head(state), type: 'committed', plan, started });
    const message = `it is in place already and did not run; it was started, and is not well: ${why}`;
    const lines = await kind.lastLines(plan);
    this.#fail(
      state,
      { code: 'stays-down', message, deny: false, ...(lines.length === 0 ? {} : { log: lines }) },
      plan,
    );
  }

  async #tryLater(state: UpdateState, error: BowlineError, signal: AbortSignal): Promise<void> {
    const { journal, log, clock, random, progress } = this.#ports;
    const { orderId } = state;
    const { times } = this.#failed.get(orderId) ?? { times: 0 };
    const delayMs = Math.max(
      backoffMs(times, random(), RETRY),
      'retryAfterMs' in error && typeof error.retryAfterMs === 'number' ? error.retryAfterMs : 0,
    );
    this.#failed.set(orderId, { times: times + 1, dueMs: clock.monotonicMs() + delayMs });
    const why = `${error.code}: ${error.message}`;
    log.warn({ orderId, code: error.code, delayMs: Math.round(delayMs) }, error.message);
    progress(orderId, progressOf(state.phase, 0, { note: why }));
    if (
      state.phase === 'accepted' ||
      (state.phase === 'deferred' && state.why !== why) ||
      this.#isStuck(state)
    )
      journal.append({ ...this.#head(state), type: 'deferred', why });
    // Until then others have their turn.
    if (letsOthersPass(journal.ledger.update(orderId) ?? state)) return;
    await wait(clock, delayMs, signal);
  }

  /** Its contents do not come, and others wait. What it has of them may go for theirs. */
  #isStuck({ phase }: UpdateState): boolean {
    const { journal, clock, limits } = this.#ports;
    if (phase !== 'fetching' || clock.monotonicMs() - this.#lastByteMs < limits.stuckMs) return false;
    return journal.ledger.updates().filter((state) => !isEnded(state)).length > 1;
  }

  #stay(state: UpdateState, why: string, plan: PlannedRelease): void {
    const { journal, progress } = this.#ports;
    progress(state.orderId, progressOf('deferred', 0, { note: why }));
    if (state.phase !== 'deferred' || state.why !== why)
      journal.append({ ...this.#head(state), type: 'deferred', why, plan });
    this.#lookLater(state);
  }

  #lookLater({ orderId }: UpdateState): void {
    const { clock, limits } = this.#ports;
    this.#looks.set(orderId, clock.monotonicMs() + limits.lookMs);
  }

  #fail(state: UpdateState, failure: Failure, plan = planOf(state)): void {
    const record = { ...this.#head(state), type: 'failed', failure } as const;
    this.#ports.journal.append(plan === undefined ? record : { ...record, plan });
    if (plan === undefined || !existsSync(this.#kind(plan).treeOf(plan))) return;
    // What was laid out and will not be used only takes room.
    if (this.#kind(plan).current(plan.name) !== plan.digest)
      rmSync(this.#kind(plan).treeOf(plan), { recursive: true, force: true });
  }

  async #view(state: UpdateState) {
    const { circumstances, isOnline, clock, bootId } = this.#ports;
    // A stick is brought to a device because it has no link.
    const linkDown = state.bundle === undefined && !isOnline();
    const now = { wallMs: clock.wallMs(), sinceBootMs: clock.sinceBootMs(), bootId, builtMs: RELEASED_AT };
    return { ...(await circumstances()), waitedMs: waitedMs(state, now), linkDown };
  }

  #kind(plan: PlannedRelease): ReleaseKind {
    const kind = this.#ports.kindOf(plan);
    if (kind === undefined) throw new RejectedError('unknown-kind', `nothing here installs ${plan.kind}`);
    return kind;
  }

  #head({ orderId }: UpdateState) {
    return { orderId, at: Math.round(this.#ports.clock.wallMs()) };
  }
}

/** What must survive of a plan: not the manifest, which may be large and lies beside the tree. */
function journaled({ manifest, ...plan }: ReleasePlan): PlannedRelease {
  const { minSecureVersion, probe } = manifest;
  return {
    ...plan,
    ...(minSecureVersion === undefined ? {} : { minSecureVersion }),
    ...(probe === undefined ? {} : { probe }),
  };
}
