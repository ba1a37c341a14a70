import type { OrderGate } from '@bowline/identity';
import { judgeUpdate, type HeldPolicy } from '@bowline/identity/policy';
import type { SoftwareUpdate } from '@bowline/messages';
import { check } from '@bowline/messages/check';
import type { AppRequests } from '@bowline/messages/hub';
import { ContractError, RejectedError } from '@bowline/runtime/errors';
import { order as isUpdate } from '../generated/orders.js';

/**
 * Why an update order is refused: its shape, its signature, the device's policy, and, so far, that nothing can be installed
 * yet.
 *
 * @throws TransientError of the gate: nothing can be said yet, it must be offered again.
 */
export async function judgeOrder(
  { orderId, payload }: AppRequests['order']['request'],
  gate: Pick<OrderGate, 'admit'>,
  readPolicy: () => Promise<HeldPolicy>,
): Promise<{ code: string; message: string }> {
  try {
    const { order } = check<SoftwareUpdate>(isUpdate, payload);
    const { claims } = await gate.admit('softwareUpdate', order, orderId);
    const message = 'the order is good, but this release cannot install anything yet';
    return judgeUpdate(await readPolicy(), claims) ?? { code: 'unsupported', message };
  } catch (error) {
    if (!(error instanceof ContractError || error instanceof RejectedError)) throw error;
    return { code: error.code, message: error.message };
  }
}
