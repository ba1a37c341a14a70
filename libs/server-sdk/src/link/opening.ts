import type { Hello, Welcome } from '@bowline/messages';
import { resumeDownlink } from '../orders/downlink.ts';
import { keys } from '../store/keys.ts';
import { put, read } from '../store/server-store.ts';
import {
  open,
  receivedOf,
  UNKNOWN_EPOCH,
  type Unexplained,
  type UplinkState,
} from '../uplink/uplink-state.ts';
import type { LinkServices } from './services.ts';

export interface OpenedLink {
  uplink: UplinkState;
  /** Highest downlink seq that the device holds. */
  downlinkReceived: number;
  /** Under which its orders are numbered; of this device alone once they were numbered anew. */
  serverEpoch: string;
  resumed: boolean;
}

/**
 * What a hello changes on the server, written before the welcome goes out (protocol, section 3). Nothing of an earlier
 * link of this device may still be stored from here on.
 */
export async function openLink(services: LinkServices, deviceId: string, hello: Hello): Promise<OpenedLink> {
  const { store, status, clock } = services;
  const held = read<UplinkState>(store, keys.uplink(deviceId));
  const { state, newEpoch, rolledBack, acksMissing, unexplained } = open(held, hello, clock.wallMs());
  const written = store.write([put(keys.uplink(deviceId), state)]);
  if (newEpoch && held?.epoch !== UNKNOWN_EPOCH) {
    const message = 'the device began a new epoch: its store was new, lost or restored';
    status.alarm(deviceId, 'new-epoch', message, { epoch: hello.epoch });
  }
  if (rolledBack.length > 0) {
    const message =
      'the device once sent more in this epoch than it knows: restored from an older state, or a clone';
    status.alarm(deviceId, 'device-rollback', message, { lanes: rolledBack });
  }
  raiseUnexplained(services, deviceId, unexplained);
  const journalLost = newEpoch || held === undefined;
  const downlink = openDownlink(services, deviceId, hello, { journalLost, acksMissing });
  status.wentOnline(deviceId, hello);
  await written;
  return { uplink: state, resumed: held?.epoch === hello.epoch, ...downlink };
}

export function raiseUnexplained(
  { status }: LinkServices,
  deviceId: string,
  unexplained: readonly Unexplained[],
): void {
  if (unexplained.length === 0) return;
  const message = 'messages are missing and no gap explains them';
  status.alarm(deviceId, 'unexplained-hole', message, { holes: unexplained });
}

/** What the device is told of its orders, numbered anew if need be; what is to be sent on this link counts as sent from here on. */
function openDownlink(
  { orders, identity, status }: LinkServices,
  deviceId: string,
  hello: Hello,
  known: { journalLost: boolean; acksMissing: boolean },
): Pick<OpenedLink, 'downlinkReceived' | 'serverEpoch'> {
  const { serverEpoch } = identity;
  const { received } = hello;
  const state = orders.downlink(deviceId, serverEpoch);
  const fresh = identity.newEpoch();
  const resumption = resumeDownlink(state, serverEpoch, hello, { ...known, fresh });
  const { epoch } = resumption;
  if (resumption.kind === 'resume') orders.receipted(deviceId, serverEpoch, received);
  else {
    const { offered, receipted } = state;
    if (resumption.setBack === 'server') {
      const message =
        'the device holds orders that this server never sent it: the server was set back to an older state, or the device lies. All that has not ended is sent again';
      status.alarm(deviceId, 'server-rollback', message, { received, offered });
    }
    if (resumption.setBack === 'device') {
      const message = 'the device no longer holds orders that it once receipted';
      status.alarm(deviceId, 'device-rollback', message, { received, receipted });
    }
    const idempotent = idempotentCommands(hello);
    orders.renumber(deviceId, serverEpoch, { epoch, journalLost: resumption.journalLost, idempotent });
  }
  orders.offerAll(deviceId, serverEpoch);
  return { downlinkReceived: resumption.kind === 'resume' ? received : 0, serverEpoch: epoch };
}

const IDEMPOTENT = 'idempotent:';
const idempotentCommands = ({ capabilities }: Hello): ReadonlySet<string> =>
  new Set(
    capabilities
      .filter((capability) => capability.startsWith(IDEMPOTENT))
      .map((capability) => capability.slice(IDEMPOTENT.length)),
  );

export function welcomeOf(
  { limits, clock }: LinkServices,
  sessionId: string,
  { uplink, resumed, serverEpoch }: OpenedLink,
): Welcome {
  const { heartbeatSeconds, frameBytes, inflightMessages, inflightBytes, replayPerSecond, reconnect } =
    limits;
  return {
    sessionId,
    resumed,
    serverTime: clock.wallMs(),
    serverEpoch,
    received: receivedOf(uplink),
    heartbeatSeconds,
    capabilities: [],
    limits: { frameBytes, inflightMessages, inflightBytes, replayPerSecond },
    reconnect,
  };
}
