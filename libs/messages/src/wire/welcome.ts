import { Type, type Static } from 'typebox';
import { Count, DurationMs, EpochMs, Name, perLane, Text, Uuid } from '../primitives.ts';

/** The server's answer to {@link Hello}. The device clamps what it is told. */
export const Welcome = Type.Object({
  sessionId: Text,
  resumed: Type.Boolean(),
  serverTime: EpochMs,
  serverEpoch: Uuid,
  received: perLane(Count),
  heartbeatSeconds: Type.Number({ exclusiveMinimum: 0 }),
  capabilities: Type.Array(Name, { maxItems: 256 }),
  limits: Type.Object({
    frameBytes: Count,
    inflightMessages: Count,
    inflightBytes: Count,
    replayPerSecond: Type.Number({ minimum: 0 }),
  }),
  reconnect: Type.Object({ minMs: DurationMs, maxMs: DurationMs }),
});
export type Welcome = Static<typeof Welcome>;
