import { Type, type Static } from 'typebox';
import { DurationMs, Name, Text } from '../primitives.ts';

/** Names a message that is refused; is itself never answered. */
export const Reject = Type.Object({
  id: Type.Union([Text, Type.Null()]),
  code: Name,
  detail: Text,
  retryable: Type.Optional(Type.Boolean()),
  retryAfterMs: Type.Optional(DurationMs),
});
export type Reject = Static<typeof Reject>;
