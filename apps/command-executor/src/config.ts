import { memberConfig } from '@bowline/device-app/config';
import { Type, type Static, type TSchemaOptions } from 'typebox';
import { ProgramLimits } from './manifest.ts';

const milliseconds = (fallback: number, description: string, minimum = 0, more: TSchemaOptions = {}) =>
  Type.Integer({ minimum, maximum: 2 ** 31 - 1, default: fallback, unit: 'ms', description, ...more });

const count = (minimum: number, fallback: number, maximum: number, description: string, unit?: string) =>
  Type.Integer({
    restart: true,
    minimum,
    maximum,
    default: fallback,
    description,
    ...(unit === undefined ? {} : { unit }),
  });

const program = (fallback: string[], description: string) =>
  Type.Array(Type.String({ minLength: 1 }), { minItems: 1, localOnly: true, default: fallback, description });

/** Keys marked `localOnly` name paths: the cloud can never set them (docs/architecture.md). */
export const ExecutorConfig = Type.Object(
  {
    ...memberConfig({
      stateDir: "this app's own folder: its lock, its trust bundle, used signatures, what runs",
      policyFile: 'what the cloud may ask of this device; without it only the commands that change nothing',
    }),
    commandsFolder: Type.String({
      minLength: 1,
      localOnly: true,
      default: '/etc/bowline/commands',
      description: 'plug-ins, one folder each (docs/commands.md)',
    }),
    maxPlugIns: Type.Integer({
      restart: true,
      minimum: 0,
      maximum: 200,
      default: 100,
      description: 'more in that folder are reported as broken',
    }),
    modulesFolder: Type.String({
      minLength: 1,
      localOnly: true,
      default: '/etc/bowline/command-modules',
      description: 'commands in TypeScript or JavaScript, one file each (docs/commands.md)',
    }),
    maxModules: count(
      0,
      8,
      100,
      'more in that folder are reported as broken; each has a thread; with more of them pm2 needs a higher limit',
    ),
    moduleMemoryBytes: count(
      16_777_216,
      67_108_864,
      1_073_741_824,
      'heap of each; then it is ended',
      'bytes',
    ),
    moduleLoadMs: milliseconds(10_000, 'how long a module may take to load', 100, { restart: true }),
    lookEveryMs: milliseconds(5000, 'how often these folders are looked at while no order does', 100, {
      restart: true,
    }),
    programUser: Type.String({
      pattern: '^[a-z_][a-z0-9_-]{0,31}$',
      localOnly: true,
      default: 'nobody',
      description: 'system user of programs that name none, where this app is root; else its own',
    }),
    programLimits: Type.Unsafe<ProgramLimits>({
      ...ProgramLimits,
      localOnly: true,
      default: {},
      description: 'what each program gets at most; a plug-in may ask for less',
    }),
    commandSocket: Type.Object(
      {
        path: Type.Optional(
          Type.String({
            minLength: 1,
            localOnly: true,
            description:
              'path of the unix socket on which programs of this device register commands; without it there is none',
          }),
        ),
        mode: Type.String({
          pattern: '^0?[0-7]{3}$',
          default: '660',
          localOnly: true,
          description: 'mode of the socket; its folder says who may come near it',
        }),
        group: Type.Optional(
          Type.String({
            minLength: 1,
            localOnly: true,
            description:
              "group of the socket, a name or a number; default that of its folder, if that has the set-group-id bit, else this process's own",
          }),
        ),
        maxPrograms: count(1, 16, 256, 'programs that are connected at a time'),
        maxCommands: count(1, 64, 200, 'commands of all of them together'),
        lineChars: count(1024, 262_144, 1_048_576, 'longest message of a program', 'characters'),
        registrationChars: count(
          1024,
          65_536,
          1_048_576,
          'longest that a program may say of a command, schemas included; it is kept on the disk',
          'characters',
        ),
        unreadBytes: count(
          65_536,
          1_048_576,
          16_777_216,
          'what a program has not read; then it is let go of',
          'bytes',
        ),
        messagesPerSecond: count(
          1,
          200,
          100_000,
          'of one program that are read; the rest waits in its socket',
        ),
        registerWithinMs: milliseconds(10_000, 'how long a connection may have no command', 100, {
          restart: true,
        }),
        stopWithinMs: milliseconds(
          5000,
          'how long a program may take to answer that it has stopped; then it is let go of, and the order ends `indeterminate`',
          0,
          { restart: true },
        ),
        returnMs: milliseconds(
          30_000,
          'how long the commands of a program that went away are kept, and what was ordered of them waits for its return',
          0,
          { restart: true },
        ),
      },
      { additionalProperties: false, default: {}, localOnly: true },
    ),
    controlGroupFolder: Type.Optional(
      Type.String({
        minLength: 1,
        localOnly: true,
        description:
          'where each program gets a control group (cgroup v2) of its own; default the group of this process',
      }),
    ),
    killGraceMs: milliseconds(
      3000,
      'between SIGTERM and SIGKILL for a program and all that it has started',
      0,
      { restart: true },
    ),
    outputLogChars: Type.Integer({
      restart: true,
      minimum: 0,
      maximum: 10_000_000,
      default: 65_536,
      unit: 'characters',
      description: 'what a run says beside its result and reaches the log; the rest is left out, visibly',
    }),
    outputLineChars: Type.Integer({
      restart: true,
      minimum: 1024,
      maximum: 10_000_000,
      default: 262_144,
      unit: 'characters',
      description: "what is kept of a line of a program's output, and of the output of a script",
    }),
    programs: Type.Object(
      {
        reboot: program(['/usr/bin/systemctl', 'reboot'], 'restarts the machine'),
        shutdown: program(['/usr/bin/systemctl', 'poweroff'], 'turns the machine off'),
        shell: program(['/bin/sh', '-c'], 'runs a script that is its last argument'),
        journal: program(
          ['/usr/bin/journalctl', '--no-pager', '--lines=1000', '--output=short-iso'],
          "prints the system's journal",
        ),
      },
      { additionalProperties: false, default: {}, localOnly: true },
    ),
    pm2Home: Type.String({
      minLength: 1,
      localOnly: true,
      default: '/run/bowline/pm2',
      description: 'of the pm2 that keeps the apps running',
    }),
    configFolder: Type.String({
      minLength: 1,
      localOnly: true,
      default: '/etc/bowline',
      description: 'what is in its *.json goes into diagnostics, without secrets',
    }),
    logFolder: Type.String({
      minLength: 1,
      localOnly: true,
      default: '/var/lib/bowline/logs',
      description: 'the ends of its *.log go into diagnostics, without secrets',
    }),
    diagnosticsBytes: Type.Integer({
      restart: true,
      minimum: 1024,
      maximum: 10_000_000,
      default: 131_072,
      unit: 'bytes',
      description: 'of each log, and of the journal, that go into diagnostics',
    }),
    maxConcurrent: Type.Integer({
      minimum: 1,
      maximum: 64,
      default: 4,
      description: 'orders that run at once',
    }),
    maxWaiting: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 1000,
      description:
        'orders that wait in memory for their turn; more are refused as `executor-full`, to be offered again',
    }),
    commandTimeoutMs: milliseconds(
      60_000,
      'for an order without `timeoutMs`, and the most that one may ask for',
      1,
    ),
    maxRuns: count(
      1,
      3,
      100,
      'times that an order may begin, if it is cut off again and again and may run again',
    ),
    progressBytes: count(
      1024,
      8192,
      32_768,
      'largest progress of a command as JSON; of a larger one the beginning is told',
      'bytes',
    ),
    resultBytes: Type.Integer({
      minimum: 256,
      maximum: 49_152,
      default: 32_768,
      unit: 'bytes',
      description:
        'a longer result is cut, visibly; below the smallest frame that a server takes by default (64 KiB)',
    }),
    stopGraceMs: milliseconds(5000, 'how long an orderly stop waits for what runs'),
  },
  { additionalProperties: false },
);
export type ExecutorConfig = Static<typeof ExecutorConfig>;
