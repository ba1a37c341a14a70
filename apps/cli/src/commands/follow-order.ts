import { setTimeout as sleep } from 'node:timers/promises';
import type { Order } from '@bowline/messages';
import type { OperatorsApi } from '../adapters/operators-api.ts';
import { paint, print, printJson } from '../adapters/terminal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { duration } from '../core/format.ts';
import { exitCodeOf, moreOnFailure, newSteps, whyNot } from '../core/order-progress.ts';
import type { Context } from './context.ts';

const POLL_MS = 100;
/** Long waits need no close watch. */
const SLOW_AFTER_MS = 10_000;
const SLOW_POLL_MS = 1000;

/** Shows an order until it ends. Returns the exit code. @throws CliError `order-unfinished` */
export async function followToEnd(
  { json, signal }: Pick<Context, 'json' | 'signal'>,
  api: OperatorsApi,
  order: Order,
  timeoutMs: number,
): Promise<number> {
  const end = await follow(api, order, { json, signal, timeoutMs });
  const exitCode = exitCodeOf(end);
  if (exitCode === undefined) {
    throw new CliError('order-unfinished', `The order is still ${end.status} after ${duration(timeoutMs)}.`, {
      exitCode: EXIT.orderUnfinished,
      advice: `It goes on without us; see bowline fleet order ${end.orderId}, or wait longer with --timeout.`,
      details: { orderId: end.orderId },
    });
  }
  if (json) printJson(end);
  else if (exitCode !== EXIT.ok) [paint('red', whyNot(end)), ...moreOnFailure(end)].forEach(print);
  else if (end.result !== undefined) print(JSON.stringify(end.result, null, 2));
  return exitCode;
}

/** Prints each step as the server learns of it, until the order ends or time is up. */
export async function follow(
  api: OperatorsApi,
  first: Order,
  { json, signal, timeoutMs }: { json: boolean; signal: AbortSignal; timeoutMs: number },
): Promise<Order> {
  const startedAt = performance.now();
  let order = first;
  let shown = 0;
  for (;;) {
    if (!json) newSteps(order, shown).forEach((line) => print(`  ${line}`));
    shown = order.history.length;
    const waited = performance.now() - startedAt;
    if (exitCodeOf(order) !== undefined || waited >= timeoutMs) return order;
    await sleep(Math.min(waited > SLOW_AFTER_MS ? SLOW_POLL_MS : POLL_MS, timeoutMs - waited), undefined, {
      signal,
    });
    order = await again(api, order);
  }
}

/** The order as it stands; a server that restarts meanwhile costs time only. */
async function again(api: OperatorsApi, order: Order): Promise<Order> {
  try {
    return await api.order(order.orderId);
  } catch (error) {
    if (error instanceof CliError && error.code === 'server-unreachable') return order;
    throw error;
  }
}
