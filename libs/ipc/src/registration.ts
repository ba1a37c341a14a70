import { HUB_VERSION, ORDER_TYPES_OF, type HubApp } from '@bowline/messages/hub/apps';
import type { HubRequests } from '@bowline/messages/hub';
import { RejectedError } from '@bowline/runtime/errors';
import type { IpcCounters } from './counters.ts';

/**
 * The socket is the identity: whoever connects to the socket of an app may register as that app, for its order types, and
 * for nothing else.
 *
 * @throws RejectedError `wrong-socket`, `hub-version`, `order-type-not-allowed`.
 */
export function checkRegistration(
  socketOf: HubApp,
  { app, hubVersion, orderTypes }: HubRequests['register']['request'],
  counters: IpcCounters,
): void {
  if (app !== socketOf) {
    counters.foreignRegistrations += 1;
    throw new RejectedError('wrong-socket', `this is the socket of ${socketOf}, not of ${app}`);
  }
  if (hubVersion !== HUB_VERSION) {
    throw new RejectedError('hub-version', `the hub speaks version ${HUB_VERSION}, not ${hubVersion}`);
  }
  const allowed: readonly string[] = ORDER_TYPES_OF[app];
  const foreign = orderTypes.find((type) => !allowed.includes(type));
  if (foreign !== undefined) {
    counters.foreignRegistrations += 1;
    throw new RejectedError('order-type-not-allowed', `${app} may not handle orders of type ${foreign}`);
  }
}

/** An app that handles orders has one connection, the newest; of the CLI several may run. */
export const isExclusive = (app: HubApp): boolean => ORDER_TYPES_OF[app].length > 0;
