import { Type, type Static } from 'typebox';

const closed = { additionalProperties: false };
const Name = '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$';
const SystemUser = Type.String({ pattern: '^[a-z_][a-z0-9_-]{0,31}$' });

/** What is allowed of one command. `{}` allows it as it is. */
export const CommandRule = Type.Object(
  {
    signed: Type.Optional(
      Type.Boolean({ description: 'it must carry a signature by a command key; default false' }),
    ),
    params: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description:
          'JSON Schema 2020-12 that its params must meet, besides the schema of the command itself',
      }),
    ),
    maxTimeoutMs: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 2 ** 31 - 1,
        unit: 'ms',
        description: 'longest time that an order may ask for',
      }),
    ),
    users: Type.Optional(
      Type.Array(SystemUser, {
        maxItems: 64,
        description: 'system users that its program may run as; default none but its own',
      }),
    ),
  },
  closed,
);
export type CommandRule = Static<typeof CommandRule>;

export const MaintenanceWindow = Type.Object(
  {
    opens: Type.String({
      pattern: '^[0-9A-Za-z*,/#?-]+( [0-9A-Za-z*,/#?-]+){4}$',
      description: 'when it opens, as five fields of cron: `0 2 * * 1-5` is 02:00 from Monday to Friday',
    }),
    minutes: Type.Integer({
      minimum: 1,
      maximum: 7 * 24 * 60,
      unit: 'min',
      description: 'how long it is open',
    }),
  },
  closed,
);
export type MaintenanceWindow = Static<typeof MaintenanceWindow>;

/**
 * The device's own policy: what the cloud may ask of this device. A section that is absent allows what the default allows
 * ({@link DEFAULT_POLICY}): the commands that change nothing, no updates, no ssh.
 */
export const Policy = Type.Object(
  {
    commands: Type.Optional(
      Type.Record(Type.String({ pattern: Name }), CommandRule, {
        maxProperties: 1000,
        additionalProperties: false,
        description: 'every command that may run, by its name',
      }),
    ),
    updates: Type.Optional(
      Type.Object(
        {
          channels: Type.Array(Type.String({ pattern: Name }), {
            maxItems: 64,
            description: 'channels from which software may be installed',
          }),
          kinds: Type.Optional(
            Type.Array(Type.String({ pattern: '^(app|self|module:[A-Za-z0-9][A-Za-z0-9._-]{0,63})$' }), {
              maxItems: 64,
              description:
                'what may be installed: `app` (programs of the user), `self` (Bowline), `module:TYPE` (by the update module of that name); default only `app`',
            }),
          ),
          windows: Type.Optional(
            Type.Array(MaintenanceWindow, {
              maxItems: 64,
              description: 'only within one of these is anything switched; default at any time',
            }),
          ),
          timeZone: Type.Optional(
            Type.String({
              pattern: '^[A-Za-z0-9+_/-]{1,64}$',
              description: 'of the windows, an IANA name like Europe/Berlin; default the zone of the device',
            }),
          ),
          maxDeferSeconds: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 90 * 24 * 3600,
              unit: 's',
              description:
                'so long after its order an update is put off by holds of people and by open shells; default 7 days',
            }),
          ),
        },
        closed,
      ),
    ),
    ssh: Type.Optional(
      Type.Object(
        {
          users: Type.Array(SystemUser, {
            maxItems: 64,
            description: 'system users for which a session may be opened',
          }),
          maxSeconds: Type.Integer({
            minimum: 1,
            maximum: 7 * 24 * 3600,
            unit: 's',
            description: 'longest life of a grant, from its nbf to its exp',
          }),
          capabilities: Type.Array(Type.String({ pattern: Name }), {
            maxItems: 32,
            description: 'what a grant may ask for',
          }),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type Policy = Static<typeof Policy>;
