import { Type, type Static } from 'typebox';
import { Count, EpochMs, perLane, Text } from '../primitives.ts';
import { LedgerEntry, QueueSummary } from './queue-state.ts';

export const HeartbeatUp = Type.Object({
  uptimeSeconds: Type.Number({ minimum: 0 }),
  queue: QueueSummary,
  ledger: perLane(LedgerEntry),
  roundTripMs: Type.Optional(Type.Number({ minimum: 0 })),
  receivedSeq: Count,
  apps: Type.Record(Type.String(), Text, { description: 'state of each app by its name' }),
  /** As in hello: what is in force now. */
  configVersion: Type.Optional(Count),
  configHash: Type.Optional(Text),
  /** Of what is set anywhere on the device, without the defaults of its software. */
  configSetHash: Type.Optional(Text),
});
export type HeartbeatUp = Static<typeof HeartbeatUp>;

export const HeartbeatDown = Type.Object({
  re: Text,
  serverTime: EpochMs,
  received: perLane(Count),
  processed: perLane(Count),
});
export type HeartbeatDown = Static<typeof HeartbeatDown>;
