import type { Hello } from '@bowline/messages';

/** Numbering of a device's downlink lane `orders` (protocol, sections 2 and 3). */
export interface DownlinkState {
  /** Of the server, under which `next` counts; under a new one all starts again at 1. */
  serverEpoch: string;
  /** The one that this device is told in its place since its orders were numbered anew. */
  ownEpoch?: string;
  next: number;
  /**
   * Highest seq that may have been sent in this epoch: on disk before it is. Whatever copy of the store this is, the seqs up
   * to here name the orders that the device may have, and none beyond does.
   */
  offered: number;
  /** Highest seq that the device has said it holds. */
  receipted: number;
  /** Orders stored of this device, for the cap. */
  orders: number;
}

export type Resumption =
  /** Up to this seq the device has them all; the rest follows. */
  | { kind: 'resume'; epoch: string; received: number }
  /** All that has not ended goes out again from seq 1, under this epoch. */
  | {
      kind: 'renumber';
      epoch: string;
      journalLost: boolean;
      /** Who was set back to an older state, if that is why. */
      setBack?: 'server' | 'device';
    };

/**
 * Which orders a device still needs, and under which epoch (protocol, section 3). An epoch and a seq name one order for ever:
 * what may be known already is numbered anew only under an epoch of this device alone, so that no device, whatever it claims,
 * says anything about another.
 *
 * @param journalLost the device began a new epoch of its own, or was never here.
 * @param acksMissing what the device once reported of its orders is not here: it will say so again when it gets them again.
 * @param fresh an epoch that nobody was ever told.
 */
export function resumeDownlink(
  state: DownlinkState,
  serverEpoch: string,
  { received, serverEpoch: told }: Pick<Hello, 'received' | 'serverEpoch'>,
  { journalLost, acksMissing, fresh }: { journalLost: boolean; acksMissing: boolean; fresh: string },
): Resumption {
  const isCurrent = state.serverEpoch === serverEpoch;
  const epoch = isCurrent ? (state.ownEpoch ?? serverEpoch) : serverEpoch;
  const offered = isCurrent ? state.offered : 0;
  const isKnown = told === epoch;
  if (isKnown && received > offered)
    return { kind: 'renumber', epoch: fresh, journalLost, setBack: 'server' };
  if (isKnown && isCurrent && !journalLost) {
    if (received < state.receipted)
      return { kind: 'renumber', epoch: fresh, journalLost: true, setBack: 'device' };
    if (!acksMissing) return { kind: 'resume', epoch, received };
  }
  return { kind: 'renumber', epoch: isKnown || offered > 0 ? fresh : epoch, journalLost };
}
