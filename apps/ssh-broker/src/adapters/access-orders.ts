import type { SignedOrders } from '@bowline/device-app';
import { judgeSsh } from '@bowline/identity/policy';
import type { SshAccess } from '@bowline/messages';
import { check } from '@bowline/messages/check';
import { RejectedError } from '@bowline/runtime/errors';
import { order as isAccess } from '../generated/orders.js';

/** How an ssh order is read and judged; so far no session can be opened. */
export const accessOrders: SignedOrders<'sshAccess'> = {
  type: 'sshAccess',
  signedPart: (payload) => check<SshAccess>(isAccess, payload).grant,
  judge: (policy, { user, capabilities, nbf, exp }) =>
    judgeSsh(policy, { user, capabilities, seconds: exp - nbf }),
  carryOut: () => {
    throw new RejectedError('unsupported', 'the grant is good, but this release cannot open a session yet');
  },
};
