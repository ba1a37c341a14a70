import { signHostKeyProof, type SigningKey } from '@bowline/identity';
import type { Hub } from '@bowline/ipc';
import { RejectedError } from '@bowline/runtime/errors';

/**
 * Signs which host key an ssh session has (protocol, section 8). The device key stays here; what it signs for the ssh-broker
 * has this one shape, so that a captured broker can vouch for host keys and for nothing else.
 */
export function serveHostKeyProof(
  hub: Pick<Hub, 'handle'>,
  key: () => Promise<SigningKey>,
  nowMs: () => number,
): void {
  hub.handle('proveHostKey', async ({ sessionId, hostKeySha256 }, { app }) => {
    if (app !== 'ssh-broker')
      throw new RejectedError('ssh-broker-only', `${app} may not do this: only the ssh-broker may`);
    return { proof: await signHostKeyProof(await key(), { sessionId, hostKeySha256, nowMs: nowMs() }) };
  });
}
