import type { SignedOrders } from '@bowline/device-app';
import { judgeUpdate } from '@bowline/identity/policy';
import type { SoftwareUpdate } from '@bowline/messages';
import { check } from '@bowline/messages/check';
import { RejectedError } from '@bowline/runtime/errors';
import { order as isUpdate } from '../generated/orders.js';

/** How an update order is read and judged; so far nothing can be installed. */
export const updateOrders: SignedOrders<'softwareUpdate'> = {
  type: 'softwareUpdate',
  signedPart: (payload) => check<SoftwareUpdate>(isUpdate, payload).order,
  judge: (policy, claims) => judgeUpdate(policy, claims),
  carryOut: () => {
    throw new RejectedError('unsupported', 'the order is good, but this release cannot install anything yet');
  },
};
