import type { JournalEntry } from '@bowline/durable-queue';

/** An order as it came off the wire; `fault` if its payload or type broke the contract. */
export interface IncomingOrder {
  orderId: string;
  seq: number;
  type: string;
  payload: Record<string, unknown>;
  fault?: { code: string; message: string };
}

export interface DispatchContext {
  /** Highest downlink seq that is stored durably. */
  received: number;
  known: JournalEntry | undefined;
  /** Server time, epoch milliseconds; undefined if the server was not heard since boot. */
  serverNowMs: number | undefined;
  /** Whether an app of this device handles the type, or may when it comes up. */
  supported: boolean;
}

export type Verdict =
  /** Its seq is stored already: receipt it again, nothing else. */
  | { kind: 'duplicate' }
  /** A known order under a new seq: its state is reported once more, nothing runs twice. */
  | { kind: 'report-again'; entry: JournalEntry }
  | { kind: 'accept'; expiresAt: number | undefined }
  | { kind: 'refuse'; status: 'rejected' | 'expired'; error: { code: string; message: string } };

/** An order that expires later than this from now is rejected (protocol, section 4). */
export const LONGEST_ORDER_MS = 7 * 24 * 3600 * 1000;

/** Decides about one order, purely (protocol, section 4; architecture, the path of a command, step 3). */
export function dispatch(order: IncomingOrder, context: DispatchContext): Verdict {
  const { received, known, serverNowMs, supported } = context;
  if (order.seq <= received) return { kind: 'duplicate' };
  if (known !== undefined) return { kind: 'report-again', entry: known };

  const reject = (code: string, message: string): Verdict => ({
    kind: 'refuse',
    status: 'rejected',
    error: { code, message },
  });
  if (order.fault !== undefined) return reject(order.fault.code, order.fault.message);
  if (!supported) return reject('unsupported', `no app of this device handles orders of type ${order.type}`);

  const { expiresAt } = order.payload;
  if (typeof expiresAt !== 'number') return { kind: 'accept', expiresAt: undefined };
  if (serverNowMs !== undefined) {
    if (expiresAt <= serverNowMs) {
      return {
        kind: 'refuse',
        status: 'expired',
        error: { code: 'expired', message: 'expired before it arrived' },
      };
    }
    if (expiresAt - serverNowMs > LONGEST_ORDER_MS)
      return reject('expires-too-late', 'expiresAt is more than 7 days away');
  }
  return { kind: 'accept', expiresAt };
}
