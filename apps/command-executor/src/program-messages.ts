import { Type, type Static, type TSchema } from 'typebox';

/** Further members are ignored, so that a program may be newer than this app. */
const message = <const T extends string, P extends Record<string, TSchema>>(type: T, members: P) =>
  Type.Object({ type: Type.Literal(type), ...members });

const orderId = Type.String({ minLength: 1, maxLength: 64 });

/** What a program of the device says on the command socket, one JSON object a line (docs/commands.md). */
export const PROGRAM_MESSAGES = {
  register: message('register', { command: Type.Record(Type.String(), Type.Unknown()) }),
  unregister: message('unregister', { name: Type.String({ maxLength: 117 }) }),
  progress: message('progress', {
    orderId,
    percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
    note: Type.Optional(Type.String({ maxLength: 4096 })),
    data: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  }),
  result: message('result', { orderId, result: Type.Unknown() }),
  failure: message('failure', { orderId, message: Type.String({ maxLength: 1000 }) }),
};

export type ProgramMessage = {
  [T in keyof typeof PROGRAM_MESSAGES]: Static<(typeof PROGRAM_MESSAGES)[T]>;
}[keyof typeof PROGRAM_MESSAGES];
