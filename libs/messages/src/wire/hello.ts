import { Type, type Static } from 'typebox';
import { Count, DeviceId, everyLane, Name, Text, Uuid } from '../primitives.ts';
import { LaneRange, QueueSummary } from './queue-state.ts';

/** The device's first frame (protocol, section 3). */
export const Hello = Type.Object({
  deviceId: DeviceId,
  bootId: Uuid,
  sessionId: Type.Optional(Text),
  epoch: Uuid,
  agentVersion: Text,
  /** `idempotent:NAME`, `trust:VERSION` (protocol, section 3). */
  capabilities: Type.Array(Name, { maxItems: 256 }),
  lanes: everyLane(LaneRange),
  received: Count,
  serverEpoch: Type.Optional(Uuid),
  limits: Type.Object({
    frameBytes: Type.Integer({ minimum: 1024 }),
    inflightMessages: Type.Integer({ minimum: 1 }),
  }),
  queue: QueueSummary,
  configVersion: Type.Optional(Count),
  configHash: Type.Optional(Text),
  /** Of what is set anywhere on the device, without the defaults of its software. */
  configSetHash: Type.Optional(Text),
});
export type Hello = Static<typeof Hello>;
