import type { Clock, Logger, ServerClock } from '@bowline/runtime';
import { BowlineError, CancelledError, TransientError } from '@bowline/runtime/errors';
import { capProgress } from './cap-progress.ts';
import type { BrokenCommand, Command, DeviceFacts, Machine, OrderCounts, Progress } from './command.ts';
import { nextInLine, type Place } from './line.ts';
import { cancelOutcome, nextPhase, type OrderPhase } from './order-phase.ts';
import { planCommand, type CommandOrder, type Evidence } from './plan-command.ts';
import type { CommandPolicy } from './policy.ts';
import { ProgressPacer } from './progress-pacer.ts';
import { runStep, type Notes, type OrderReport, type SignatureRecord, type StepContext } from './run-step.ts';

export interface ExecutorOptions {
  commands: CommandSource;
  /** Reads the device's policy as it stands now. */
  readPolicy(): Promise<CommandPolicy>;
  record: SignatureRecord;
  notes: Notes;
  /** What became of an order's program that outlived an earlier life of this process. */
  orphan(orderId: string): string | undefined;
  /** Live only; may be lost. */
  progress(orderId: string, progress: Progress): void;
  /** Resolves once it is on disk; tries again while the gateway is away, until `signal`. Rejects if it is refused. */
  report(report: OrderReport, signal: AbortSignal): Promise<void>;
  clock: Clock;
  serverClock: ServerClock;
  log: Logger;
  device: DeviceFacts;
  machine: Machine;
  limits: ExecutorLimits;
}

/** The commands that there are, which may change at any time. */
export interface CommandSource {
  all(): readonly Command[];
  broken(): readonly BrokenCommand[];
  /** Looks for what was added, changed and removed. @param name the command that is waited for if it is just being loaded. */
  refresh(name?: string): Promise<void>;
  /** It is not known yet whether there is such a command: its orders wait in line, where its class can still be heeded. */
  isLoading(name: string): boolean;
}

export interface ExecutorLimits {
  maxConcurrent: number;
  maxWaiting: number;
  commandTimeoutMs: number;
  maxRuns: number;
  resultBytes: number;
  progressBytes: number;
}

interface Entry {
  order: CommandOrder;
  phase: OrderPhase;
  /** Being looked at; nothing was reported yet. */
  planning: boolean;
  /** Held back until the server's time is known. */
  held: boolean;
  abort: AbortController;
  /** Its command's effect ends this process: a stop must not wait for it. */
  endsUs: boolean;
}

/**
 * Runs the orders that it is handed, a few at once, the others in line. The gateway's journal is the durable truth; what
 * is here is only what this process has under way, so that an order handed over twice runs once.
 */
export class CommandExecutor {
  readonly #options: ExecutorOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #runs = new Set<Promise<void>>();
  readonly #ended: Record<string, number> = {};
  /** Ends the attempts to report; set off only when the app stops. */
  readonly #giveUp = new AbortController();
  #stopping = false;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /**
   * Takes note of an order; one that is known already is left alone.
   *
   * @throws TransientError `executor-full` (offer it again when another has ended), `stopping`.
   */
  take(order: CommandOrder): void {
    if (this.#stopping) throw new TransientError('stopping', 'the executor is stopping');
    if (this.#entries.has(order.orderId)) return;
    const { maxConcurrent, maxWaiting } = this.#options.limits;
    if (this.#entries.size >= maxConcurrent + maxWaiting) {
      throw new TransientError('executor-full', `${this.#entries.size} orders are under way or wait here`);
    }
    this.#entries.set(order.orderId, {
      order,
      phase: { kind: 'waiting' },
      planning: false,
      held: false,
      abort: new AbortController(),
      endsUs: false,
    });
    this.#pump();
  }

  /**
   * `cancelled`: dropped before anything began, the caller records it; a signature is used up by it. `stopping`: how it ends
   * is reported by us.
   *
   * @throws TransientError if that cannot be recorded: it is not cancelled then.
   */
  cancel(orderId: string): ReturnType<typeof cancelOutcome> {
    const entry = this.#entries.get(orderId);
    const outcome = cancelOutcome(entry?.phase);
    if (entry !== undefined) {
      const { signature } = entry.order;
      if (outcome === 'cancelled' && signature !== undefined) this.#options.record.end(signature.id);
      if (outcome === 'cancelled') this.#entries.delete(orderId);
      if (outcome === 'stopping') entry.abort.abort(new CancelledError('cancelled', 'cancelled by an order'));
    }
    return outcome;
  }

  /** The server was heard: orders that were held for its time may go on. */
  serverTimeKnown(): void {
    for (const entry of this.#entries.values()) entry.held = false;
    this.#pump();
  }

  /** Commands have come, gone or changed: orders that waited for one may go on. */
  commandsChanged(): void {
    this.#pump();
  }

  counts(): OrderCounts {
    const running = this.#runs.size;
    return { running, waiting: this.#entries.size - running, ended: { ...this.#ended } };
  }

  /**
   * Takes nothing new, leaves the line to the gateway, and lets what runs end within `graceMs`. What still runs then is
   * cut off without a report: it is handed over again as `started`.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    for (const [orderId, { phase, endsUs, abort }] of this.#entries) {
      if (phase.kind === 'waiting') this.#entries.delete(orderId);
      else if (endsUs) abort.abort(stopping());
    }
    const timer = this.#options.clock.after(graceMs, () => this.#cutOff());
    await Promise.allSettled(this.#runs);
    timer.cancel();
  }

  #cutOff(): void {
    const reason = stopping();
    for (const { abort } of this.#entries.values()) abort.abort(reason);
    this.#giveUp.abort(reason);
  }

  #pump(): void {
    if (this.#stopping) return;
    const { commands, limits } = this.#options;
    for (;;) {
      const classes = new Map(commands.all().map(({ name, concurrency }) => [name, concurrency]));
      const inLine = (entry: Entry): Place & { entry: Entry } => {
        const { name = '' } = entry.order.payload;
        return { name, concurrency: classes.get(name) ?? 'shared', entry };
      };
      const away = new Set(commands.all().flatMap((each) => (each.isAway?.() === true ? [each.name] : [])));
      const mayBegin = (name: string) => !away.has(name) && !commands.isLoading(name);
      const all = [...this.#entries.values()];
      const running = all.filter(({ planning }) => planning).map(inLine);
      const waiting = all.filter(
        ({ order, phase, held, planning }) =>
          phase.kind === 'waiting' && !held && !planning && mayBegin(order.payload.name ?? ''),
      );
      const next = nextInLine(waiting.map(inLine), running, limits.maxConcurrent);
      if (next === undefined) return;
      this.#begin(next.entry);
    }
  }

  #begin(entry: Entry): void {
    entry.planning = true;
    const run = this.#run(entry)
      .catch((error: unknown) => this.#broken(entry, error))
      .finally(() => {
        entry.planning = false;
        this.#runs.delete(run);
        if (!entry.held) this.#entries.delete(entry.order.orderId);
        this.#pump();
      });
    this.#runs.add(run);
  }

  async #run(entry: Entry): Promise<void> {
    const { commands, readPolicy, serverClock, limits } = this.#options;
    const [policy] = await Promise.all([readPolicy(), commands.refresh(entry.order.payload.name)]);
    const { order } = entry;
    if (this.#entries.get(order.orderId) !== entry) return; // cancelled, or left to the next life
    const plan = planCommand(order, {
      commands: commands.all(),
      policy,
      serverNowMs: serverClock.nowMs(),
      commandTimeoutMs: limits.commandTimeoutMs,
      maxRuns: limits.maxRuns,
      ...(order.state === 'started' ? { evidence: this.#evidence(order) } : {}),
    });
    if (plan.kind === 'await-server-time') {
      entry.held = true;
      this.#log(entry).info('waits: it has an expiry, and the time of the server is not known yet');
      return;
    }
    entry.phase = nextPhase(entry.phase, 'begin');
    entry.endsUs = plan.steps.some(({ kind }) => kind === 'note');
    const pacer = new ProgressPacer(this.#options.clock, (progress) =>
      this.#options.progress(order.orderId, capProgress(progress, limits.progressBytes)),
    );
    const context = this.#stepContext(entry, policy, pacer);
    try {
      for (const step of plan.steps) await runStep(step, context);
    } finally {
      pacer.end();
    }
  }

  #evidence({ orderId, payload }: CommandOrder): Evidence {
    const { commands, notes, orphan, device } = this.#options;
    const found = orphan(orderId);
    const about = found === undefined ? {} : { orphan: found };
    const confirmation = commands.all().find(({ name }) => name === payload.name)?.confirmation;
    const note = confirmation === undefined ? undefined : notes.read(orderId);
    if (confirmation === undefined || note === undefined) return about;
    const result = confirmation.happened(note, payload.params ?? {}, device);
    return { ...about, effect: result === undefined ? { happened: false } : { happened: true, result } };
  }

  #stepContext(entry: Entry, policy: CommandPolicy, pacer: ProgressPacer): StepContext {
    const { clock, serverClock, commands, device, machine, limits, report, record, notes } = this.#options;
    const log = this.#log(entry);
    return {
      order: entry.order,
      clock,
      signal: entry.abort.signal,
      resultBytes: limits.resultBytes,
      record,
      notes,
      device,
      serverNowMs: () => serverClock.nowMs(),
      report: async (order) => {
        await report(order, this.#giveUp.signal);
        log.info({ status: order.status, error: order.error }, 'order reported');
      },
      ending: (status) => {
        entry.phase = nextPhase(entry.phase, 'end');
        this.#ended[status] = (this.#ended[status] ?? 0) + 1;
      },
      commandContext: (signal, order) => ({
        clock,
        signal,
        device,
        machine,
        policy,
        commands: commands.all(),
        broken: commands.broken(),
        orders: () => this.counts(),
        resultBytes: limits.resultBytes,
        order,
        progress: (progress) => pacer.report(progress),
      }),
    };
  }

  /** A report that the gateway refused, or the end of this process: either way the journal knows better. */
  #broken(entry: Entry, error: unknown): void {
    if (error instanceof CancelledError) return;
    if (!(error instanceof BowlineError)) throw error;
    this.#log(entry).warn({ code: error.code }, `order given up here: ${error.message}`);
  }

  #log({ order }: Entry): Logger {
    return this.#options.log.child({
      orderId: order.orderId,
      command: order.payload.name,
      signer: order.signature?.signer,
    });
  }
}

const stopping = (): CancelledError => new CancelledError('stopping', 'the executor is stopping');
