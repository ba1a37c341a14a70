import { Type, type Static } from 'typebox';

const count = (unit: string, description: string, minimum = 1) =>
  Type.Optional(Type.Integer({ minimum, maximum: Number.MAX_SAFE_INTEGER, unit, description }));

/** What a program may use up, by setrlimit(2); what is absent is not limited. */
export const ProgramLimits = Type.Object(
  {
    cpuSeconds: count('s', 'time on the processor; then it is ended (SIGXCPU)'),
    memoryBytes: count('bytes', 'address space; programs that reserve much more than they use need a lot'),
    openFiles: count('files', 'open files of a process'),
    processes: count('processes', 'processes of its user, those of others included'),
    fileBytes: count('bytes', 'longest file that it may write', 0),
  },
  { additionalProperties: false },
);
export type ProgramLimits = Static<typeof ProgramLimits>;

const Schema = (description: string) => Type.Record(Type.String(), Type.Unknown(), { description });

/** What a command says of itself, whoever carries it out. */
const OF_ANY = {
  name: Type.String({
    pattern: '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,116}$',
    description: 'under which an order asks for it, and the policy allows it',
  }),
  description: Type.String({ minLength: 1, maxLength: 1000, description: 'one sentence for operators' }),
  params: Type.Optional(Schema('JSON Schema 2020-12 of its params; absent: it takes none')),
  result: Type.Optional(Schema('JSON Schema 2020-12 of its result; absent: anything')),
  timeoutMs: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 2 ** 31 - 1,
      unit: 'ms',
      description:
        "for an order without `timeoutMs`, and the most that one may ask for; default the executor's",
    }),
  ),
  idempotent: Type.Boolean({
    description: 'whether it may run again after it was cut off; only this decides that',
  }),
  concurrency: Type.Optional(
    Type.Enum(['shared', 'per-name', 'exclusive'], {
      description: 'which commands may run beside it; default `shared`',
    }),
  ),
  policy: Type.Optional(
    Type.Object(
      {
        signed: Type.Optional(
          Type.Boolean({ description: 'it runs only with a signature by a command key' }),
        ),
      },
      { additionalProperties: false, description: 'what it asks for beyond the policy of the device' },
    ),
  ),
};

/** `command.json` in the folder of a plug-in: what the command is called, takes and gives, and how its program is run. */
export const Manifest = Type.Object(
  {
    ...OF_ANY,
    program: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_][A-Za-z0-9._-]*$',
        maxLength: 255,
        description: 'the executable, in the same folder; default `run`',
      }),
    ),
    user: Type.Optional(
      Type.String({
        pattern: '^[a-z_][a-z0-9_-]{0,31}$',
        description: "system user that it runs as; the policy's `users` for this command must name it too",
      }),
    ),
    limits: Type.Optional(ProgramLimits),
  },
  { additionalProperties: false },
);
export type Manifest = Static<typeof Manifest>;

/** The same of a command that something carries out which runs already: how that is run is for others to say. */
export const Description = Type.Object(OF_ANY, { additionalProperties: false });
export type Description = Static<typeof Description>;
