import { Type, type Static } from 'typebox';
import { CompactJws, EpochMs } from '../primitives.ts';

export const SoftwareUpdate = Type.Object({ order: CompactJws, expiresAt: Type.Optional(EpochMs) });
export type SoftwareUpdate = Static<typeof SoftwareUpdate>;
