import type { Command as CommandPayload } from '@bowline/messages';
import type { Command } from './command.ts';
import { didYouMean } from './did-you-mean.ts';
import type { Outcome } from './outcome.ts';
import { paramsFault } from './params-fault.ts';
import type { CommandPolicy } from './policy.ts';

/** An order as it was handed over; `fault` if its payload broke the contract. */
export interface CommandOrder {
  orderId: string;
  payload: CommandPayload;
  fault?: OrderError;
  /** It was signed by a command key; `payload` is what the signature covers. */
  signature?: OrderSignature;
  /** `started`: an earlier attempt was cut off, and nobody knows how far it came. */
  state: 'received' | 'started';
  /** Attempts so far: 0 before the first `started`. */
  attempt: number;
}

/** What this app itself knows of an order that was cut off in an earlier life. */
export interface Evidence {
  /** By the command's confirmation: the effect took place, with this result; or it did not. */
  effect?: { happened: true; result: unknown } | { happened: false };
  /** What was found of its program, and ended, when this process came up. */
  orphan?: string;
}

export interface OrderSignature {
  /** Under which its use is recorded. */
  id: string;
  /** Thumbprint of the key. */
  signer: string;
  /** How far this order had come, by this app's own record, which no gateway can set back. */
  earlier: { phase: 'claimed' | 'begun' | 'ended'; outcome: string | undefined } | undefined;
}

export interface OrderError {
  code: string;
  message: string;
}

/** One thing to do; the executor has one function a kind (run-step.ts). */
export type Step =
  /** Records what things are like before the effect, for the command's confirmation. */
  | { kind: 'note'; command: Command; params: Record<string, unknown> }
  | { kind: 'report-started'; attempt: number }
  /** Records how far a signature was used; only with one. */
  | { kind: 'record'; what: 'begun' | 'ended' | 'reported' }
  /** A refusal uses a signature up: what was not allowed today must not run tomorrow, when the policy may be another. */
  | { kind: 'record-refusal'; refusal: Refusal }
  | { kind: 'run'; command: Command; params: Record<string, unknown>; timeoutMs: number }
  /** `stored`: of an earlier life of this process. */
  | { kind: 'report-outcome'; stored?: Outcome }
  | ({ kind: 'report-refusal' } & Refusal);

export interface Refusal {
  status: 'rejected' | 'expired' | 'indeterminate';
  error: OrderError;
}

export type Plan =
  | { kind: 'steps'; steps: Step[] }
  /** `expiresAt` can only be judged on server time, and there has been none since boot (protocol, section 4). */
  | { kind: 'await-server-time' };

export interface PlanContext {
  commands: readonly Command[];
  /** How the policy reads now. */
  policy: CommandPolicy;
  /** Server time, epoch milliseconds; undefined if the server was not heard since boot. */
  serverNowMs: number | undefined;
  /** For an order without `timeoutMs`, and the most that one may ask for. */
  commandTimeoutMs: number;
  /** Times that an order may begin. */
  maxRuns: number;
  /** For an order that is `started` already. */
  evidence?: Evidence;
}

/** What to do about one order, purely: every refusal comes before `started`, every effect after it. */
export function planCommand(order: CommandOrder, context: PlanContext): Plan {
  const { payload, state, attempt } = order;
  const signed = order.signature !== undefined;
  const record = (what: 'begun' | 'ended' | 'reported'): Step[] => (signed ? [{ kind: 'record', what }] : []);
  const refuse = (status: Refusal['status'], error: OrderError): Plan => {
    const refusal = closing(state, status, error);
    const recorded: Step[] = signed ? [{ kind: 'record-refusal', refusal }] : [];
    return steps(...recorded, { kind: 'report-refusal', ...refusal }, ...record('reported'));
  };

  if (order.fault !== undefined) return refuse('rejected', order.fault);
  const { name } = payload;
  if (name === undefined) return refuse('rejected', { code: 'invalid', message: 'payload/name is missing' });
  const again = repeated(order);
  if (again !== undefined) return again;
  const command = context.commands.find((known) => known.name === name);
  if (command === undefined) {
    const names = context.commands.map((known) => known.name);
    return refuse('rejected', {
      code: 'unknown-command',
      message: `there is no command ${name} here${didYouMean(name, names) || `, only ${names.join(', ')}`}`,
    });
  }
  const params = payload.params ?? {};
  const { timeoutMs: askedMs } = payload;
  const { effect, orphan } = context.evidence ?? {};
  if (state === 'started' && effect?.happened === true) {
    const stored = { status: 'succeeded', result: effect.result } as const;
    return steps({ kind: 'report-outcome', stored }, ...record('reported'));
  }
  const forbidden = context.policy.judge({ name, timeoutMs: askedMs, signed });
  if (forbidden !== undefined) return refuse('rejected', forbidden);
  if (command.signed === true && !signed) {
    return refuse('rejected', {
      code: 'signature-needed',
      message: `${name} itself asks for a signature by a command key`,
    });
  }
  if (state === 'started' && !command.idempotent && effect === undefined) {
    const message = `${name} was cut off after it had started: its effect may have happened, so it is not repeated${orphan === undefined ? '' : `; ${orphan}`}`;
    return refuse('indeterminate', { code: 'interrupted', message });
  }
  if (state === 'started' && attempt >= context.maxRuns) {
    const message = `${name} was begun ${attempt} times and cut off each time, perhaps by what it does: it is not begun again${orphan === undefined ? '' : `; ${orphan}`}`;
    return refuse('indeterminate', { code: 'interrupted', message });
  }
  const { expiresAt = Infinity } = payload;
  if (expiresAt <= (context.serverNowMs ?? -Infinity))
    return refuse('expired', { code: 'expired', message: 'expired before it could start' });
  // Last, for it takes time: who is refused anyhow must not make the device look at a large order.
  if (!command.check(params))
    return refuse('rejected', { code: 'invalid-params', message: paramsFault(command) });
  const against = context.policy.judgeParams({ name, params, user: command.user?.(params) });
  if (against !== undefined) return refuse('rejected', against);
  if (payload.expiresAt !== undefined && context.serverNowMs === undefined)
    return { kind: 'await-server-time' };
  const ownMs = command.timeoutMs ?? context.commandTimeoutMs;
  const longestMs = Math.min(ownMs, context.policy.longestTimeoutMs(name) ?? ownMs);
  const timeoutMs = Math.min(askedMs ?? longestMs, longestMs);
  return steps(
    ...(command.confirmation === undefined ? [] : [{ kind: 'note' as const, command, params }]),
    { kind: 'report-started', attempt: attempt + 1 },
    ...record('begun'),
    { kind: 'run', command, params, timeoutMs },
    ...record('ended'),
    { kind: 'report-outcome' },
    ...record('reported'),
  );
}

/**
 * A signature is good once: what is recorded here about its order overrules what the gateway says of it. Cut off before
 * the effect began, or in its middle and `started` by the gateway's journal too, it goes on as any order does.
 */
function repeated({ signature, state }: CommandOrder): Plan | undefined {
  const earlier = signature?.earlier;
  if (earlier === undefined || earlier.phase === 'claimed') return undefined;
  const stored =
    earlier.outcome === undefined ? undefined : (JSON.parse(earlier.outcome) as Outcome | Refusal);
  if (isRefusal(stored)) {
    const again = closing(state, stored.status, stored.error);
    return steps({ kind: 'report-refusal', ...again }, { kind: 'record', what: 'reported' });
  }
  if (state === 'received' || (earlier.phase === 'ended' && earlier.outcome === undefined)) {
    const message = 'this order was carried out before: a signature is good once';
    return steps({
      kind: 'report-refusal',
      ...closing(state, 'rejected', { code: 'replayed', message }),
    });
  }
  if (stored === undefined) return undefined;
  return steps({ kind: 'report-outcome', stored }, { kind: 'record', what: 'reported' });
}

const isRefusal = (stored: Outcome | Refusal | undefined): stored is Refusal =>
  stored !== undefined && ['rejected', 'expired', 'indeterminate'].includes(stored.status);

const steps = (...all: Step[]): Plan => ({ kind: 'steps', steps: all });

/** An order that had started cannot be refused any more: an effect may be there (protocol, section 4, order states). */
function closing(state: CommandOrder['state'], status: Refusal['status'], error: OrderError): Refusal {
  return { status: state === 'started' ? 'indeterminate' : status, error };
}
