import { Type, type Static } from 'typebox';
import { EpochMs, Seq, Text } from '../primitives.ts';

/** Server → device on the tunnel: the socket is standing by (protocol, section 8). */
export const TunnelAttached = Type.Object({
  type: Type.Literal('attached'),
  nextToken: Type.String({ minLength: 1, maxLength: 2048 }),
  expiresAt: EpochMs,
});
export type TunnelAttached = Static<typeof TunnelAttached>;

/** Server → device: an operator is on the other end; every later frame is binary and opaque. */
export const TunnelPaired = Type.Object({
  type: Type.Literal('paired'),
  stream: Seq,
  operator: Text,
  remote: Text,
});
export type TunnelPaired = Static<typeof TunnelPaired>;
