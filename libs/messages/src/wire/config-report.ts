import { Type, type Static } from 'typebox';
import { Count, Name, Text } from '../primitives.ts';

export const ConfigReport = Type.Object({
  version: Count,
  status: Type.Enum(['applied', 'rejected', 'rolledBack']),
  /** Of the configuration that is in force afterwards: a later hello with another one tells of a change on the device. */
  hash: Type.Optional(Text),
  /** Of what is set, without the defaults of the software: if only `hash` is another later, the software has changed. */
  setHash: Type.Optional(Text),
  errors: Type.Optional(Type.Array(Type.Object({ app: Name, key: Text, message: Text }), { maxItems: 256 })),
});
export type ConfigReport = Static<typeof ConfigReport>;
