import { Type, type Static } from 'typebox';
import { Count, perLane } from '../primitives.ts';

/** "All that will ever come up to seq, I hold durably" (protocol, section 4). Cumulative. */
export const Receipt = Type.Object({
  lanes: Type.Object({ ...perLane(Count).properties, orders: Type.Optional(Count) }),
});
export type Receipt = Static<typeof Receipt>;
