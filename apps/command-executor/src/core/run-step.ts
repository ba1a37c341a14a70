import { BowlineError, CancelledError, RejectedError, TransientError } from '@bowline/runtime/errors';
import type { Clock } from '@bowline/runtime';
import type { Command, CommandContext, DeviceFacts, RunningOrder } from './command.ts';
import { capResult, type Outcome } from './outcome.ts';
import type { CommandOrder, OrderError, Step } from './plan-command.ts';
import { isStopping } from './stop-reason.ts';

/** A change of an order's state on its way to the gateway. */
export interface OrderReport {
  orderId: string;
  status: 'started' | 'succeeded' | 'failed' | 'cancelled' | 'rejected' | 'expired' | 'indeterminate';
  /** The device's wall clock, epoch milliseconds. */
  at: number;
  attempt?: number;
  result?: unknown;
  error?: OrderError;
}

/** What the steps of one order share. */
export interface StepContext {
  order: CommandOrder;
  clock: Clock;
  /** Aborted with a CancelledError: `cancelled` by an order to cancel, `stopping` when the app ends. */
  signal: AbortSignal;
  /** Largest result as JSON, bytes. */
  resultBytes: number;
  serverNowMs(): number | undefined;
  /** Resolves once state and ack are on disk; tries again while the gateway is away. */
  report(report: OrderReport): Promise<void>;
  /** Called once, when it is decided how the order ends. */
  ending(status: OrderReport['status']): void;
  commandContext(signal: AbortSignal, order: RunningOrder): Omit<CommandContext, 'startAgain'>;
  notes: Pick<Notes, 'write'>;
  device: DeviceFacts;
  /** This app's record of how far a signed order came. */
  record: SignatureRecord;
  attempt?: number;
  note?: unknown;
  outcome?: Outcome;
}

/** What was noted before the effect of an order, for its command's confirmation. */
export interface Notes {
  /** Durable when it returns. @throws TransientError `note-unwritable` */
  write(orderId: string, note: unknown): void;
  read(orderId: string): unknown;
}

/** Durable when a method returns; throws a TransientError if the disk does not take it. */
export interface SignatureRecord {
  begin(id: string): void;
  end(id: string, outcome?: string): void;
}

type StepRunners = {
  [K in Step['kind']]: (step: Extract<Step, { kind: K }>, context: StepContext) => Promise<void>;
};

/** The executor table: how each kind of step is done. */
const RUNNERS: StepRunners = {
  note: async ({ command, params }, context) => {
    try {
      context.note = command.confirmation?.note(params, context.device);
      if (context.note !== undefined) context.notes.write(context.order.orderId, context.note);
    } catch (error) {
      // Without it nobody would know afterwards whether it took place: it must not begin.
      context.outcome = { status: 'failed', error: told(error) };
    }
  },

  'report-started': ({ attempt }, context) => {
    context.attempt = attempt;
    return report(context, { status: 'started', attempt });
  },

  record: async ({ what }, context) => {
    const { id } = context.order.signature ?? {};
    if (id === undefined) return;
    try {
      if (what === 'begun') context.record.begin(id);
      else context.record.end(id, what === 'ended' ? JSON.stringify(context.outcome) : undefined);
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      // What cannot be recorded must not begin; what is over is told all the same.
      if (what === 'begun') context.outcome = { status: 'failed', error: told(error) };
    }
  },

  'record-refusal': async ({ refusal }, context) => {
    const { id } = context.order.signature ?? {};
    if (id === undefined) return;
    try {
      context.record.end(id, JSON.stringify(refusal));
    } catch (error) {
      if (!(error instanceof TransientError)) throw error; // a full disk is no reason to leave an order unanswered
    }
  },

  run: async (step, context) => {
    if (context.outcome !== undefined) return;
    const outcome = await runCommand(step, context);
    context.outcome =
      outcome.status === 'succeeded'
        ? { ...outcome, result: capResult(outcome.result, context.resultBytes) }
        : outcome;
  },

  'report-outcome': async ({ stored }, context) => {
    const outcome = stored ?? context.outcome;
    if (outcome === undefined) return;
    context.ending(outcome.status);
    await report(context, outcome);
  },

  'report-refusal': async ({ status, error }, context) => {
    context.ending(status);
    await report(context, { status, error });
  },
};

export async function runStep(step: Step, context: StepContext): Promise<void> {
  const run = RUNNERS[step.kind] as (step: Step, context: StepContext) => Promise<void>;
  await run(step, context);
}

function report(context: StepContext, fields: Omit<OrderReport, 'orderId' | 'at'>): Promise<void> {
  return context.report({
    orderId: context.order.orderId,
    at: Math.round(context.clock.wallMs()),
    ...fields,
  });
}

async function runCommand(
  { command, params, timeoutMs }: Extract<Step, { kind: 'run' }>,
  context: StepContext,
): Promise<Outcome> {
  const deadline = new AbortController();
  const deadlineMs = context.clock.monotonicMs() + timeoutMs;
  const timer = context.clock.after(timeoutMs, () =>
    deadline.abort(new RejectedError('timed-out', `${command.name} took longer than ${timeoutMs} ms`)),
  );
  const signal = AbortSignal.any([context.signal, deadline.signal]);
  try {
    signal.throwIfAborted();
    checkExpiry(context);
    const { attempt = 1, note, order } = context;
    const running = command.run(params, {
      ...context.commandContext(signal, { orderId: order.orderId, attempt, note, deadlineMs }),
      startAgain: () => startAgain(context),
    });
    const result = await (command.endsWhenTold === true
      ? running
      : Promise.race([running, aborted(command.cannotStop === true ? context.signal : signal, command)]));
    return { status: 'succeeded', result };
  } catch (error) {
    if (error instanceof CancelledError && error.code === 'stopping') throw error;
    return { status: statusOf(error), error: told(error) };
  } finally {
    timer.cancel();
  }
}

function startAgain(context: StepContext): Promise<void> {
  context.attempt = (context.attempt ?? 1) + 1;
  return report(context, { status: 'started', attempt: context.attempt });
}

function statusOf(error: unknown): 'cancelled' | 'failed' | 'indeterminate' {
  if (error instanceof CancelledError) return 'cancelled';
  return error instanceof RejectedError && error.code === 'effect-unknown' ? 'indeterminate' : 'failed';
}

/** The gateway may have been away while `started` was on its way: the effect must not begin late (protocol, section 4). */
function checkExpiry({ order, serverNowMs }: StepContext): void {
  const { expiresAt } = order.payload;
  const now = serverNowMs();
  if (expiresAt !== undefined && now !== undefined && expiresAt <= now) {
    throw new RejectedError('expired', 'expired while its start was being recorded; nothing was done');
  }
}

const told = (error: unknown): OrderError => ({
  code: error instanceof BowlineError ? error.code : 'command-failed',
  message: error instanceof Error ? error.message : String(error),
});

/** What cannot be stopped is left behind only by the end of this app. */
function aborted(signal: AbortSignal, { cannotStop = false }: Pick<Command, 'cannotStop'>): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => {
      if (!cannotStop || isStopping(signal)) reject(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
  });
}
