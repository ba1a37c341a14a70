import { Type, type TSchema, type TSchemaOptions } from 'typebox';
import { UPLINK_LANES } from './names.ts';

/** Largest integer on the wire: below 2^53 (protocol, introduction). */
const MAX_INTEGER = Number.MAX_SAFE_INTEGER;

/** Epoch milliseconds. */
export const EpochMs = Type.Integer({ minimum: 0, maximum: MAX_INTEGER, description: 'epoch milliseconds' });
export const DurationMs = Type.Integer({ minimum: 0, maximum: MAX_INTEGER, description: 'milliseconds' });
export const Count = Type.Integer({ minimum: 0, maximum: MAX_INTEGER });
/** A sequence number; the first is 1, 0 stands for "none yet". */
export const Seq = Type.Integer({ minimum: 1, maximum: MAX_INTEGER });

export const MessageId = Type.String({
  pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$',
  description: 'UUIDv7, the same for every retry of the same message',
});
export const DeviceId = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' });
/** A random UUID, of any version: epochs, boot ids. */
export const Uuid = Type.String({ pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' });
/** A name of a lane, app, command, series or capability. */
export const Name = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$' });
export const OperatorName = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$' });
/** Of an ssh session. */
export const SessionId = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' });
/** Free text for people. */
export const Text = Type.String({ maxLength: 4096 });
export const CompactJws = Type.String({
  pattern: '^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$',
  maxLength: 65536,
  description: 'JWS in compact serialisation (RFC 7515)',
});
export const JsonObject = Type.Record(Type.String(), Type.Unknown());

export const LaneName = Type.Enum([...UPLINK_LANES]);

/** An object with the given schema for each lane, all optional. */
export const perLane = <S extends TSchema>(schema: S, options: TSchemaOptions = {}) =>
  Type.Object(
    {
      results: Type.Optional(schema),
      events: Type.Optional(schema),
      telemetry: Type.Optional(schema),
      history: Type.Optional(schema),
    },
    options,
  );

/** An object with the given schema for each lane, all required. */
export const everyLane = <S extends TSchema>(schema: S) =>
  Type.Object({ results: schema, events: schema, telemetry: schema, history: schema });

export const WireErrorSchema = Type.Object({ code: Name, message: Text });
