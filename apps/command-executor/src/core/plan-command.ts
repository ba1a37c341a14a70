import type { Command as CommandPayload } from '@bowline/messages';
import { describeErrors } from '@bowline/messages/check';
import type { Command } from './command.ts';
import { isAllowed, refusal, type Policy } from './policy.ts';

/** An order as it was handed over; `fault` if its payload broke the contract. */
export interface CommandOrder {
  orderId: string;
  payload: CommandPayload;
  fault?: OrderError;
  /** `started`: an earlier attempt was cut off, and nobody knows how far it came. */
  state: 'received' | 'started';
  /** Attempts so far: 0 before the first `started`. */
  attempt: number;
}

export interface OrderError {
  code: string;
  message: string;
}

/** One thing to do; the executor has one function a kind (run-step.ts). */
export type Step =
  | { kind: 'report-started'; attempt: number }
  | { kind: 'run'; command: Command; params: Record<string, unknown>; timeoutMs: number }
  | { kind: 'report-outcome' }
  | { kind: 'report-refusal'; status: 'rejected' | 'expired' | 'indeterminate'; error: OrderError };

export type Plan =
  | { kind: 'steps'; steps: Step[] }
  /** `expiresAt` can only be judged on server time, and there has been none since boot (protocol, section 4). */
  | { kind: 'await-server-time' };

export interface PlanContext {
  commands: readonly Command[];
  /** How the policy reads now; an error if its file cannot be used, which allows nothing. */
  policy: Policy | OrderError;
  /** Server time, epoch milliseconds; undefined if the server was not heard since boot. */
  serverNowMs: number | undefined;
  /** For an order without `timeoutMs`, and the most that one may ask for. */
  commandTimeoutMs: number;
}

/** What to do about one order, purely: every refusal comes before `started`, every effect after it. */
export function planCommand(order: CommandOrder, context: PlanContext): Plan {
  const { payload, state, attempt } = order;
  const refuse = (status: 'rejected' | 'expired', error: OrderError): Plan =>
    steps({ kind: 'report-refusal', ...refused(state, status, error) });

  if (order.fault !== undefined) return refuse('rejected', order.fault);
  if (payload.name === undefined) {
    const message = 'this version does not run signed commands: name and params are needed';
    return refuse('rejected', { code: 'unsupported', message });
  }
  const { name } = payload;
  const command = context.commands.find((known) => known.name === name);
  if (command === undefined) {
    const names = context.commands.map((known) => known.name).join(', ');
    return refuse('rejected', {
      code: 'unknown-command',
      message: `there is no command ${name} here, only ${names}`,
    });
  }
  if ('code' in context.policy) return refuse('rejected', context.policy);
  if (!isAllowed(context.policy, name))
    return refuse('rejected', { code: 'not-allowed', message: refusal(context.policy, name) });

  const params = payload.params ?? {};
  if (!command.check(params)) {
    return refuse('rejected', {
      code: 'invalid-params',
      message: describeErrors(command.check.errors, 'params'),
    });
  }
  if (state === 'started' && !command.idempotent) {
    const message = `${name} was cut off after it had started: its effect may have happened, so it is not repeated`;
    return steps({
      kind: 'report-refusal',
      status: 'indeterminate',
      error: { code: 'interrupted', message },
    });
  }
  if (payload.expiresAt !== undefined) {
    if (context.serverNowMs === undefined) return { kind: 'await-server-time' };
    if (payload.expiresAt <= context.serverNowMs)
      return refuse('expired', { code: 'expired', message: 'expired before it could start' });
  }
  const timeoutMs = Math.min(payload.timeoutMs ?? context.commandTimeoutMs, context.commandTimeoutMs);
  return steps(
    { kind: 'report-started', attempt: attempt + 1 },
    { kind: 'run', command, params, timeoutMs },
    { kind: 'report-outcome' },
  );
}

const steps = (...all: Step[]): Plan => ({ kind: 'steps', steps: all });

/** An order that had started cannot be refused any more: an effect may be there (protocol, section 4, order states). */
function refused(state: CommandOrder['state'], status: 'rejected' | 'expired', error: OrderError) {
  return { status: state === 'started' ? ('indeterminate' as const) : status, error };
}
