import type { Hello, Welcome } from '@bowline/messages';
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
  resumed: boolean;
  /** Its own epoch of the store turned out to be an older state: other devices must say hello again. */
  serverRestored: boolean;
}

/**
 * What a hello changes on the server, written before the welcome goes out (protocol, section 3). Nothing of an earlier
 * link of this device may still be stored from here on.
 */
export async function openLink(services: LinkServices, deviceId: string, hello: Hello): Promise<OpenedLink> {
  const { store, status, clock } = services;
  const held = read<UplinkState>(store, keys.uplink(deviceId));
  const { state, newEpoch, rolledBack, unexplained } = open(held, hello, clock.wallMs());
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
  const downlink = resumeDownlink(services, deviceId, hello, newEpoch || held === undefined);
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

/** Which orders the device still needs, and under which seqs. */
function resumeDownlink(
  { orders, identity, status }: LinkServices,
  deviceId: string,
  hello: Hello,
  journalLost: boolean,
): Pick<OpenedLink, 'downlinkReceived' | 'serverRestored'> {
  const { received } = hello;
  const { next, receipted } = orders.downlink(deviceId, identity.serverEpoch);
  const renumber = (firstSeq: number, lost: boolean) =>
    orders.renumber(deviceId, identity.serverEpoch, {
      firstSeq,
      journalLost: lost,
      idempotent: idempotentCommands(hello),
    });

  // First of all: a server set back to before it knew this device has no journal of it either.
  if (hello.serverEpoch === identity.serverEpoch && received >= next) {
    identity.renewEpoch();
    const message =
      'the device holds orders that this server does not know: the server was restored from an older state';
    status.alarm(deviceId, 'server-rollback', message, { received, next });
    renumber(1, journalLost);
    return { downlinkReceived: 0, serverRestored: true };
  }
  if (journalLost || hello.serverEpoch !== identity.serverEpoch) {
    renumber(1, journalLost);
    return { downlinkReceived: 0, serverRestored: false };
  }
  if (received < receipted) {
    const message = 'the device no longer holds orders that it once receipted';
    status.alarm(deviceId, 'device-rollback', message, { received, receipted });
    renumber(received + 1, true);
  } else orders.receipted(deviceId, identity.serverEpoch, received);
  return { downlinkReceived: received, serverRestored: false };
}

const IDEMPOTENT = 'idempotent:';
const idempotentCommands = ({ capabilities }: Hello): ReadonlySet<string> =>
  new Set(
    capabilities
      .filter((capability) => capability.startsWith(IDEMPOTENT))
      .map((capability) => capability.slice(IDEMPOTENT.length)),
  );

export function welcomeOf(
  { identity, limits, clock }: LinkServices,
  sessionId: string,
  { uplink, resumed }: OpenedLink,
): Welcome {
  const { heartbeatSeconds, frameBytes, inflightMessages, inflightBytes, replayPerSecond, reconnect } =
    limits;
  return {
    sessionId,
    resumed,
    serverTime: clock.wallMs(),
    serverEpoch: identity.serverEpoch,
    received: receivedOf(uplink),
    heartbeatSeconds,
    capabilities: [],
    limits: { frameBytes, inflightMessages, inflightBytes, replayPerSecond },
    reconnect,
  };
}
