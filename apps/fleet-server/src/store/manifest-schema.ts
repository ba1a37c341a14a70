import { Type, type Static } from 'typebox';
import { Count, EpochMs, Text } from '@bowline/messages/primitives';

/** What a backup says of itself, and the proof that all of it is there. */
export const Manifest = Type.Object({
  format: Type.Literal(1),
  name: Text,
  at: EpochMs,
  serverId: Text,
  serverEpoch: Text,
  files: Type.Record(
    Type.String({ minLength: 1, maxLength: 4096 }),
    Type.Object({ bytes: Count, sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) }),
    { description: 'by their paths in the backup', maxProperties: 100_000 },
  ),
});
export type Manifest = Static<typeof Manifest>;
