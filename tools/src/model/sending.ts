import type { Lane } from '@bowline/messages';
import type { Violation } from './properties.ts';
import type { AckTracker, BatchCut, RealCode, SentFrame } from './real-code.ts';
import type { RuleName } from './rules.ts';
import { forEachLane, LANES, type DeviceDisk, type DeviceEnd, type MessagesFrame } from './world.ts';

/** The clock stands still: the pace of replays is left out. */
const UNPACED = { allowed: () => Infinity, taken: () => undefined, nextInMs: () => 1 };

/** What is in flight on a link, as the gateway keeps it. */
export function acksOf({ sentUpTo, frames }: DeviceEnd, code: RealCode): AckTracker {
  const acks = new code.AckTracker(sentUpTo);
  for (const frame of frames) acks.sent(frame, 0);
  return acks;
}

/** Everything that the window takes now, the highest lane first; undefined if there is nothing new. */
export function sendFrom(
  lanes: DeviceDisk['lanes'],
  end: DeviceEnd,
  code: RealCode,
  without: RuleName | undefined,
): { up: MessagesFrame[]; end: DeviceEnd; violation: Violation | undefined } | undefined {
  const isNew = (lane: Lane) => (lanes[lane].held.at(-1)?.seq ?? 0) > end.sentUpTo[lane];
  if (!LANES.some(isNew)) return undefined;
  const acks = acksOf(end, code);
  const limits = { frameBytes: 65_536, inflightMessages: end.window, inflightBytes: 1_048_576 };
  const seen = without === 'one-may-always-go' ? neverEmpty(acks) : acks;
  const queue = {
    cut: (lane: Lane, afterSeq: number, { messages }: { messages: number }) =>
      cutFrom(lanes, lane, afterSeq, messages),
  };
  const outgoing = new code.OutgoingQueue(queue, seen, limits, UNPACED, end.batches ? Infinity : 1);
  const up: MessagesFrame[] = [];
  let violation: Violation | undefined;
  for (let next = outgoing.next(0); next.kind === 'frame'; next = outgoing.next(0)) {
    const { lane, fromSeq, toSeq, messages } = next.frame;
    const counted = without === 'window-counts-messages' ? 1 : messages;
    acks.sent({ lane, fromSeq, toSeq, messages: counted, bytes: 1 }, 0);
    violation ??= overWindow(end.window, lane, acks.unreceipted());
    const sent = lanes[lane].held.filter(({ seq }) => seq >= fromSeq && seq <= toSeq);
    up.push({ kind: 'messages', lane, messages: sent });
  }
  if (up.length === 0) return undefined;
  const sentUpTo = forEachLane((lane) => acks.sentUpTo(lane));
  return { up, end: { ...end, sentUpTo, frames: [...acks.unreceipted()] }, violation };
}

/** By the contract of the durable queue: consecutive messages, as many as are asked for. */
function cutFrom(
  lanes: DeviceDisk['lanes'],
  lane: Lane,
  afterSeq: number,
  most: number,
): BatchCut | undefined {
  const waiting = lanes[lane].held.filter(({ seq }) => seq > afterSeq);
  const from = waiting[0]?.seq;
  if (from === undefined) return undefined;
  const messages = waiting.filter(({ seq }, index) => seq === from + index && index < most).length;
  return { lane, from, to: from + messages - 1, messages, body: Buffer.alloc(messages) };
}

/** So that the exception for one message does not come in. */
const neverEmpty = (acks: AckTracker) => ({
  sentUpTo: (lane: Lane) => acks.sentUpTo(lane),
  inFlight: () => ({ ...acks.inFlight(), messages: acks.inFlight().messages || Number.MIN_VALUE }),
});

function overWindow(window: number, lane: Lane, frames: readonly SentFrame[]): Violation | undefined {
  const messages = frames.reduce((sum, { fromSeq, toSeq }) => sum + toSeq - fromSeq + 1, 0);
  const isSample = lane === 'telemetry' || lane === 'history';
  const most = isSample ? window - Math.ceil(window / 4) : window;
  if (messages <= Math.max(most, 1)) return undefined;
  const detail = `${messages} messages are in flight where ${lane} may have ${most}`;
  return { property: 'window-kept', detail };
}
