import { checkTime, type Admission } from '@bowline/identity';
import type { HeldPolicy, PolicyRefusal } from '@bowline/identity/policy';
import type { SignedClaims } from '@bowline/messages';
import type { AppRequests } from '@bowline/messages/hub';
import type { Logger } from '@bowline/runtime';
import { ContractError, RejectedError, TransientError } from '@bowline/runtime/errors';
import type { HubMember } from './join-hub.ts';

type Handed = AppRequests['order']['request'];
type Type = 'softwareUpdate' | 'sshAccess';
/** The rule that is against an order. */
export interface Refusal {
  code: string;
  message: string;
}

/** An order whose signature holds and that the policy allows. */
export interface AdmittedOrder<T extends Type> extends Handed, Admission<T> {}

export interface SignedOrders<T extends Type> {
  type: T;
  /**
   * The signed part of a payload, after its shape was checked.
   *
   * @throws ContractError `invalid`.
   */
  signedPart(payload: Handed['payload']): string;
  /** The rule of the policy that is against it. */
  judge(policy: HeldPolicy, claims: SignedClaims<T>): PolicyRefusal | undefined;
  /**
   * An order of which the app has a record of its own: it is handed on unjudged, since its signature was spent, and may have
   * expired, while it was being carried out. Default: none is.
   */
  resumes?(orderId: string): boolean;
  resume?(order: Handed): Promise<void> | void;
  /**
   * Carries it out, or begins to: the gateway is answered when this returns.
   *
   * @throws RejectedError, to have the order rejected with it.
   */
  carryOut(order: AdmittedOrder<T>): Promise<void> | void;
  /**
   * For an app that keeps a record of what it refused: once for each refusal, not for one that is answered again.
   *
   * @param admitted what the signature stands for; undefined where it does not hold, or does not any more.
   */
  refused?(order: Handed, refusal: Refusal, admitted: Admission<T> | undefined): void;
}

/**
 * Takes the signed orders that the hub hands over: judged by shape, signature (the gate) and policy, in this order, then
 * carried out; what is refused is reported with the exact rule. What cannot be judged yet (TransientError of the gate) is
 * refused to the hub and comes again.
 */
export function takeSignedOrders<T extends Type>(hub: HubMember, log: Logger, orders: SignedOrders<T>): void {
  /** A second hand-over meanwhile waits for the first: judged by itself, it would find its own signature used. */
  const underWay = new Map<string, Promise<void>>();
  hub.client.handle('order', async (order) => {
    hub.heard(order);
    const { orderId } = order;
    let taking = underWay.get(orderId);
    if (taking === undefined) {
      taking = take(hub, log, order, orders).finally(() => underWay.delete(orderId));
      underWay.set(orderId, taking);
    }
    await taking;
    return {};
  });
}

async function take<T extends Type>(
  hub: HubMember,
  log: Logger,
  order: Handed,
  orders: SignedOrders<T>,
): Promise<void> {
  if (orders.resumes?.(order.orderId) === true) {
    await orders.resume?.(order);
    return;
  }
  const refusal = await refusalOf(hub, order, orders);
  if (refusal !== undefined) reject(hub, log, order.orderId, refusal);
}

/**
 * Judges an order and has it carried out, as if the hub had handed it over, for one that came another way: a person brought it.
 *
 * @param brought the clock that counts where the server's is not known ({@link OrderGate.admit}).
 * @returns the rule that is against it. @throws TransientError of the gate.
 */
export async function takeBroughtOrder<T extends Type>(
  hub: HubMember,
  order: Pick<Handed, 'orderId' | 'type' | 'payload'>,
  orders: SignedOrders<T>,
  brought: { nowMs(): number },
): Promise<Refusal | undefined> {
  if (orders.resumes?.(order.orderId) === true) return undefined;
  const handed: Handed = { ...order, state: 'received', attempt: 0, receivedAt: Math.round(brought.nowMs()) };
  return refusalOf(hub, handed, orders, brought);
}

async function refusalOf<T extends Type>(
  hub: HubMember,
  order: Handed,
  orders: SignedOrders<T>,
  brought?: { nowMs(): number },
): Promise<Refusal | undefined> {
  let admitted: Admission<T> | undefined;
  const refuse = (refusal: Refusal) => {
    orders.refused?.(order, refusal, admitted);
    return refusal;
  };
  try {
    const admission = await hub.gate.admit(
      orders.type,
      orders.signedPart(order.payload),
      order.orderId,
      brought,
    );
    if (admission.earlier?.phase === 'ended')
      return refusedBefore(admission.earlier.outcome) ?? refuse(CARRIED_OUT_BEFORE);
    admitted = admission;
    // Begun, and the app has no record of it: it was cut off before any effect, and would begin only now.
    const nowMs = hub.serverClock.nowMs();
    if (admission.earlier?.phase === 'begun' && nowMs !== undefined) checkTime(admission.claims, nowMs);
    const refused = orders.judge(await hub.readPolicy(), admission.claims);
    if (refused === undefined) {
      await orders.carryOut({ ...order, ...admission });
      return undefined;
    }
    useUp(hub, admitted.id, refused);
    return refuse(refused);
  } catch (error) {
    if (!(error instanceof ContractError || error instanceof RejectedError)) throw error;
    const refusal = { code: error.code, message: error.message };
    if (admitted !== undefined) useUp(hub, admitted.id, refusal);
    return refuse(refusal);
  }
}

/** What was not allowed today must not run tomorrow, when the policy may be another: a refusal uses the signature up. */
function useUp(hub: HubMember, id: string, { code, message }: Refusal): void {
  try {
    hub.gate.spent.end(id, JSON.stringify({ code, message }));
  } catch (error) {
    if (!(error instanceof TransientError)) throw error; // a full disk is no reason to leave an order unanswered
  }
}

/** The stored answer of an order that is over; `outcome` is ours only if it was a refusal. */
function refusedBefore(outcome: string | undefined): Refusal | undefined {
  const { code, message } = JSON.parse(outcome ?? '{}') as Partial<Refusal>;
  return typeof code === 'string' && typeof message === 'string' ? { code, message } : undefined;
}

const CARRIED_OUT_BEFORE: Refusal = {
  code: 'replayed',
  message: 'this order was carried out before: a signature is good once',
};

function reject(
  hub: HubMember,
  log: Logger,
  orderId: string,
  error: { code: string; message: string },
): void {
  log.warn({ orderId, ...error }, 'order rejected');
  hub
    .report({ orderId, status: 'rejected', error })
    .catch((cause: unknown) =>
      log.warn(
        { orderId, error: cause },
        'the gateway did not take the report: it offers the order at the next start',
      ),
    );
}
