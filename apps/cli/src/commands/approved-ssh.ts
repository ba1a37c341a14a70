import { takeApproval } from '../adapters/signer-approval.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { capabilitiesFor, NO_REASON, type SshWish } from '../core/ssh-wish.ts';
import type { Context } from './context.ts';
import type { SshOptions } from './ssh.ts';

/**
 * By what a person approved at the signer, where the operator has no token of it here. What was approved takes the place of what
 * was asked for.
 */
export async function approvedBy(
  context: Context,
  deviceId: string,
  wish: SshWish,
  options: SshOptions,
): Promise<SshOptions | undefined> {
  const { signer, principal } = options;
  if (signer === undefined || context.env['BOWLINE_SIGNER_TOKEN']) return undefined;
  if (principal !== undefined)
    throw new CliError('usage', 'An approval is for a key of this session, not for a certificate.', {
      exitCode: EXIT.usage,
      advice: 'Leave out --principal, or put your token into BOWLINE_SIGNER_TOKEN.',
    });
  const { user, reason, streams, record, forMs, idleMs } = options;
  const wanted = capabilitiesFor(wish);
  const seconds = Math.max(60, Math.ceil(forMs / 1000));
  const idleSeconds = Math.max(1, Math.ceil(idleMs / 1000));
  // Who approves it says why, if it was not said here.
  const why = reason === NO_REASON ? '' : reason;
  const wished = { deviceId, user, reason: why, seconds, capabilities: wanted, streams, idleSeconds, record };
  const { code, wish: approved } = await takeApproval(context, signer, wished);
  const missing = wanted.filter((name) => !approved.capabilities.includes(name));
  if (missing.length > 0)
    throw new CliError('not-approved', `What was approved does not allow ${missing.join(', ')}.`, {
      exitCode: EXIT.usage,
      advice: `It allows ${approved.capabilities.join(', ')}, and its code is still good for that.`,
    });
  return {
    ...options,
    user: approved.user,
    reason: approved.reason,
    streams: approved.streams,
    record: approved.record,
    forMs: approved.seconds * 1000,
    idleMs: approved.idleSeconds * 1000,
    code,
  };
}
