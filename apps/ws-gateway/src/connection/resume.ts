import { UPLINK_LANES, type Hello, type Lane, type Welcome } from '@bowline/messages';

export type Resumption =
  /** The server has more than we ever sent in this epoch: we were restored from an older state (protocol, section 3). */
  | { kind: 'restored'; lane: Lane }
  | {
      kind: 'resume';
      receipts: Partial<Record<Lane, number>>;
      sentUpTo: Record<Lane, number>;
      newServerEpoch: boolean;
    };

/**
 * What hello and welcome together say about each lane: the lanes decide, `resumed` only informs.
 *
 * @param offered highest seq of each lane that may have been sent in this epoch; a lane that is not named is not judged. More
 *   than that can only have come from a life of this store that it does not know: what it holds there was never sent.
 */
export function resume(
  hello: Hello,
  welcome: Welcome,
  offered: Partial<Record<Lane, number>> = {},
): Resumption {
  const receipts: Partial<Record<Lane, number>> = {};
  const sentUpTo: Record<Lane, number> = { results: 0, events: 0, telemetry: 0, history: 0 };
  for (const lane of UPLINK_LANES) {
    const { first, next } = hello.lanes[lane];
    const received = welcome.received[lane] ?? 0;
    if (received >= next || received > (offered[lane] ?? Infinity)) return { kind: 'restored', lane };
    if (received >= first) receipts[lane] = received;
    sentUpTo[lane] = Math.max(received, first - 1);
  }
  return { kind: 'resume', receipts, sentUpTo, newServerEpoch: welcome.serverEpoch !== hello.serverEpoch };
}

export interface LinkLimits {
  heartbeatMs: number;
  frameBytes: number;
  inflightMessages: number;
  inflightBytes: number;
  replayPerSecond: number;
}

const clamp = (value: number, least: number, most: number) => Math.min(Math.max(value, least), most);

/** The device clamps what it is told (protocol, section 3). */
export function clampLimits({ heartbeatSeconds, limits }: Welcome): LinkLimits {
  return {
    heartbeatMs: clamp(heartbeatSeconds, 5, 300) * 1000,
    frameBytes: clamp(limits.frameBytes, 4 * 1024, 1024 * 1024),
    inflightMessages: Math.max(limits.inflightMessages, 1),
    inflightBytes: Math.max(limits.inflightBytes, 1),
    replayPerSecond: Math.max(limits.replayPerSecond, 1),
  };
}
