import type { OrderGate } from '@bowline/identity';
import { judgeSsh, type HeldPolicy } from '@bowline/identity/policy';
import type { SshAccess } from '@bowline/messages';
import { check } from '@bowline/messages/check';
import type { AppRequests } from '@bowline/messages/hub';
import { ContractError, RejectedError } from '@bowline/runtime/errors';
import { order as isAccess } from '../generated/orders.js';

/**
 * Why an ssh order is refused: its shape, its grant, the device's policy, and, so far, that no session can be opened yet.
 *
 * @throws TransientError of the gate: nothing can be said yet, it must be offered again.
 */
export async function judgeOrder(
  { orderId, payload }: AppRequests['order']['request'],
  gate: Pick<OrderGate, 'admit'>,
  readPolicy: () => Promise<HeldPolicy>,
): Promise<{ code: string; message: string }> {
  try {
    const { grant } = check<SshAccess>(isAccess, payload);
    const { claims } = await gate.admit('sshAccess', grant, orderId);
    const { user, capabilities, nbf, exp } = claims;
    const message = 'the grant is good, but this release cannot open a session yet';
    return (
      judgeSsh(await readPolicy(), { user, capabilities, seconds: exp - nbf }) ?? {
        code: 'unsupported',
        message,
      }
    );
  } catch (error) {
    if (!(error instanceof ContractError || error instanceof RejectedError)) throw error;
    return { code: error.code, message: error.message };
  }
}
