import { Type, type Static } from 'typebox';
import { CompactJws, EpochMs } from '../primitives.ts';

export const SshAccess = Type.Object({
  grant: CompactJws,
  tunnelUrl: Type.String({ pattern: '^wss?://', maxLength: 2048 }),
  token: Type.String({ minLength: 1, maxLength: 2048 }),
  expiresAt: Type.Optional(EpochMs),
});
export type SshAccess = Static<typeof SshAccess>;
