import { existsSync } from 'node:fs';
import { CancelledError, isDiskFull, RejectedError, TransientError, wait } from '@bowline/runtime';
import { backoffMs } from '@bowline/runtime/backoff';
import { inLine, letsOthersPass } from '../core/in-line.ts';
import { progressOf } from '../core/progress.ts';
import {
  hasNotBegun,
  isBeforeSwitch,
  isEnded,
  planOf,
  type UpdateClaims,
  type UpdateState,
} from '../core/update-state.ts';
import { OutcomeTeller } from './outcome-teller.ts';
import type { EnginePorts } from './ports.ts';
import { Preparation } from './prepare.ts';
import { SwitchOver } from './switch-over.ts';

/** Pause before a step is tried again that could not be written down. */
const WHILE_FULL = { baseMs: 1000, capMs: 60_000, minMs: 500 };

/**
 * Carries out updates, one at a time in the order in which they came; those that wait for something let others pass. The journal is the truth: whatever it says is done next,
 * by this life of the process or by another.
 */
export class UpdateEngine {
  readonly #ports: EnginePorts;
  readonly #preparation: Preparation;
  readonly #switchOver: SwitchOver;
  readonly #teller: OutcomeTeller;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #wake: () => void = () => {};
  /** Ends what is done for the active update before the switch. */
  #abort: { orderId: string; controller: AbortController } | undefined;
  /** Steps in a row for which the disk had no room. */
  #full = 0;
  /** Orders whose cancel was taken, and is not on record yet. */
  readonly #cancelling = new Set<string>();
  #whenCalm: (() => void) | undefined;

  constructor(ports: EnginePorts) {
    this.#ports = ports;
    this.#teller = new OutcomeTeller(ports);
    this.#preparation = new Preparation(ports, this.#teller);
    this.#switchOver = new SwitchOver(ports);
  }

  /** Takes up what the journal says is not over. */
  start(): void {
    for (const ended of this.#ports.journal.ledger.untold()) this.#teller.tell(ended);
    for (const begun of this.#open().filter((state) => !hasNotBegun(state)))
      this.#teller.tellStart(begun.orderId);
    const run = async () => {
      await this.#tidyLast();
      await this.#run();
    };
    this.#running = run().catch((error: unknown) => {
      if (!this.#stopping.signal.aborted) throw error;
    });
  }

  /** Does it when no release is being switched or tried, e.g. a restart that would cut an installation off. */
  whenCalm(act: () => void): void {
    this.#whenCalm = act;
    if (this.#isCalm()) act();
  }

  knows(orderId: string): boolean {
    return this.#ports.journal.ledger.update(orderId) !== undefined;
  }

  /** The gateway offers an order that is in the journal: it may not have its end. */
  resume(orderId: string): void {
    const state = this.#ports.journal.ledger.update(orderId);
    if (state !== undefined && isEnded(state)) this.#teller.tell({ ...state, told: false });
  }

  /**
   * Durable when it returns.
   *
   * @param bundle file that a person brought the release in.
   * @throws RejectedError `too-many-updates`; TransientError `stopping`, `no-space`.
   */
  take(orderId: string, order: UpdateClaims, bundle?: string): void {
    const { journal, clock, limits, newId, bootId } = this.#ports;
    if (this.#stopping.signal.aborted) throw new TransientError('stopping', 'the updater is stopping');
    const waiting = this.#open().length;
    if (waiting > limits.maxWaiting)
      throw new RejectedError('too-many-updates', `${waiting} updates are under way or wait already`);
    const at = Math.round(clock.wallMs());
    const inBoot = { id: bootId, atMs: Math.round(clock.sinceBootMs()) };
    const record = { type: 'accepted', orderId, at, order, eventId: newId(), in: inBoot } as const;
    journal.append(bundle === undefined ? record : { ...record, bundle });
    this.#ports.changed();
    this.#wake();
  }

  /** `stopping`: the end is reported by us. */
  cancel(orderId: string): 'stopping' | 'too-late' | 'unknown-order' {
    const state = this.#ports.journal.ledger.update(orderId);
    if (state === undefined) return 'unknown-order';
    if (!isBeforeSwitch(state)) return 'too-late';
    this.#cancelling.add(orderId);
    if (this.#abort?.orderId === orderId)
      this.#abort.controller.abort(new CancelledError('cancelled', 'cancelled by an order'));
    else this.#cancelWaiting(state);
    this.#wake();
    return 'stopping';
  }

  /** The circumstances may have changed. */
  wake(): void {
    this.#wake();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new CancelledError('stopping', 'the updater is stopping'));
    this.#wake();
    await this.#running?.catch(() => {});
    await this.#teller.stop();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      signal.throwIfAborted();
      if (this.#isCalm()) this.#whenCalm?.();
      const state = this.#next();
      if (state === undefined) await this.#idle();
      else await this.#stepOnceThereIsRoom(state);
    }
  }

  /** A full disk ends nothing: what the journal could not take is done again, as after a crash. */
  async #stepOnceThereIsRoom(state: UpdateState): Promise<void> {
    const { log, clock, random, progress } = this.#ports;
    try {
      await this.#step(state);
      this.#full = 0;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      const { orderId, phase } = state;
      const note = `no-space: ${(error as Error).message}`;
      const delayMs = backoffMs(this.#full, random(), WHILE_FULL);
      this.#full += 1;
      this.#switchOver.forgets();
      log.warn({ orderId, phase, delayMs: Math.round(delayMs) }, `the update waits: ${note}`);
      progress(orderId, progressOf(phase, 0, { note }));
      await wait(clock, delayMs, this.#stopping.signal);
    }
  }

  /** Whose turn it is: the first of those in line that is due. One that must wait holds up no other. */
  #next(): UpdateState | undefined {
    const nowMs = this.#ports.clock.monotonicMs();
    const isCancelled = ({ orderId }: UpdateState) => this.#cancelling.has(orderId);
    return (
      this.#open().find((state) => isCancelled(state) && letsOthersPass(state)) ??
      inLine(this.#open()).find(({ orderId }) => this.#preparation.dueMs(orderId) <= nowMs)
    );
  }

  #open(): UpdateState[] {
    return this.#ports.journal.ledger.updates().filter((state) => !isEnded(state));
  }

  /** Until there is something new, or something is due. */
  async #idle(): Promise<void> {
    const { clock } = this.#ports;
    const woken = new Promise<void>((resolve) => (this.#wake = resolve));
    // A fresh order may have come in the same turn.
    if (this.#next() !== undefined || this.#stopping.signal.aborted) return;
    const dueMs = Math.min(...inLine(this.#open()).map(({ orderId }) => this.#preparation.dueMs(orderId)));
    const timer = Number.isFinite(dueMs)
      ? clock.after(dueMs - clock.monotonicMs(), () => this.#wake())
      : undefined;
    await woken;
    timer?.cancel();
  }

  async #step(state: UpdateState): Promise<void> {
    const { orderId } = state;
    if (this.#cancelling.has(orderId) && isBeforeSwitch(state)) return this.#cancelled(state);
    const controller = new AbortController();
    this.#abort = { orderId, controller };
    try {
      if (isBeforeSwitch(state)) {
        await this.#preparation.step(state, AbortSignal.any([this.#stopping.signal, controller.signal]));
      } else if ('previous' in state && !isEnded(state)) {
        const kind = this.#ports.kindOf(state.plan);
        if (kind === undefined) throw new Error(`no kind for ${state.plan.kind}`);
        await this.#switchOver.step(state, kind, this.#stopping.signal);
      }
    } catch (error) {
      this.#stopping.signal.throwIfAborted();
      if (!controller.signal.aborted) throw error;
    } finally {
      this.#abort = undefined;
    }
    this.#ports.changed();
    const now = this.#ports.journal.ledger.update(orderId) ?? state;
    if (controller.signal.aborted && isBeforeSwitch(now)) this.#cancelled(now);
    else if (isEnded(now)) await this.#ended(now);
    else if (now.phase !== state.phase) {
      if (now.phase === 'switching') this.#switchOver.begins(orderId);
      this.#ports.log.info({ orderId, phase: now.phase }, 'update goes on');
    }
  }

  #isCalm(): boolean {
    return this.#ports.journal.ledger.switching() === undefined;
  }

  /** Not its turn yet; what the full disk does not take is done when it is. */
  #cancelWaiting(state: UpdateState): void {
    try {
      this.#cancelled(state);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }

  #cancelled({ orderId }: UpdateState): void {
    const { journal, clock } = this.#ports;
    journal.append({ type: 'cancelled', orderId, at: Math.round(clock.wallMs()) });
    this.#cancelling.delete(orderId);
    const now = journal.ledger.update(orderId);
    if (now !== undefined) void this.#ended(now);
  }

  async #ended(state: UpdateState): Promise<void> {
    if (!isEnded(state)) return;
    this.#cancelling.delete(state.orderId);
    this.#preparation.forget(state.orderId);
    this.#teller.tell(state);
    await this.#tidy(state);
  }

  async #tidy(state: UpdateState): Promise<void> {
    const { log, kindOf, sourceOf } = this.#ports;
    const plan = planOf(state);
    if (plan === undefined || state.phase === 'previewed') return;
    try {
      // What lies there may be that of another by now.
      if (this.#open().every(letsOthersPass)) await sourceOf(state).discard();
      await kindOf(plan)?.tidy(plan, 'failure' in state ? { failure: state.failure } : {});
    } catch (error) {
      log.warn({ orderId: state.orderId, error }, 'could not tidy up after the update');
    }
  }

  /** Another life may have been cut off between the end of an update and this. */
  async #tidyLast(): Promise<void> {
    if (!this.#open().every(hasNotBegun)) return;
    const names = new Set<string>();
    for (const state of this.#ports.journal.ledger.updates().filter(isEnded).toReversed()) {
      const plan = planOf(state);
      if (plan === undefined || state.phase === 'previewed' || names.has(plan.name)) continue;
      names.add(plan.name);
      if (existsSync(this.#ports.kindOf(plan)?.treeOf(plan) ?? '')) await this.#tidy(state);
    }
  }
}
