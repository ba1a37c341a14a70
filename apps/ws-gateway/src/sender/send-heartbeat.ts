import type { DurableQueue } from '@bowline/durable-queue';
import { UPLINK_LANES, type HeartbeatUp, type QueueSummary } from '@bowline/messages';
import type { ConfigSummary } from '../config-push/config-push.ts';

/** The outbox in one line, for hello and heartbeat. */
export function queueSummary(queue: Pick<DurableQueue, 'lanes'>): QueueSummary {
  const lanes = Object.values(queue.lanes());
  const oldest = lanes.flatMap(({ oldestAt }) => (oldestAt === undefined ? [] : [oldestAt]));
  return {
    messages: lanes.reduce((sum, { messages }) => sum + messages, 0),
    bytes: lanes.reduce((sum, { bytes }) => sum + bytes, 0),
    ...(oldest.length === 0 ? {} : { oldestAt: Math.min(...oldest) }),
  };
}

/** What a heartbeat reports (protocol, section 5): queue, ledger, receipts, the state of each app. */
export function heartbeatOf(
  queue: Pick<DurableQueue, 'lanes' | 'ledger' | 'downlink'>,
  facts: {
    uptimeSeconds: number;
    apps: Record<string, string>;
    roundTripMs: number | undefined;
    configuration: ConfigSummary;
  },
): HeartbeatUp {
  const ledger = queue.ledger();
  return {
    uptimeSeconds: facts.uptimeSeconds,
    queue: queueSummary(queue),
    ledger: Object.fromEntries(UPLINK_LANES.map((lane) => [lane, ledger[lane]])),
    ...(facts.roundTripMs === undefined ? {} : { roundTripMs: facts.roundTripMs }),
    receivedSeq: queue.downlink().received,
    apps: facts.apps,
    ...facts.configuration,
  };
}
