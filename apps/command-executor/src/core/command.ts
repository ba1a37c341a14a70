import type { Clock } from '@bowline/runtime';
import type { describeErrors } from '@bowline/messages/check';
import type { CommandPolicy } from './policy.ts';

/** JSON Schema 2020-12, as it is shown to operators by `listCommands`. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a command may ask of the process that it runs in. */
export interface CommandContext {
  clock: Clock;
  /** Aborted at the deadline, on cancel and when the app stops. */
  signal: AbortSignal;
  device: DeviceFacts;
  policy: CommandPolicy;
  commands: readonly Command[];
  orders(): OrderCounts;
}

/** Facts of the machine and of this process, read when asked for. */
export interface DeviceFacts {
  /** Since the device booted, seconds. */
  uptimeSeconds(): number;
  /** Since this process began, seconds. */
  processUptimeSeconds(): number;
  bootId(): string;
  versions(): { app: string; node: string; kernel: string; platform: string; arch: string };
  /** Bytes. */
  memory(): { totalBytes: number; freeBytes: number; processRssBytes: number; processHeapUsedBytes: number };
  /** Over 1, 5 and 15 minutes. */
  loadAverage(): readonly number[];
}

/** Orders in the memory of this process, and how those that it had have ended, since it began. */
export interface OrderCounts {
  running: number;
  waiting: number;
  ended: Readonly<Record<string, number>>;
}

export interface CommandDefinition<Params> {
  name: string;
  /** One sentence for operators. */
  description: string;
  /** Whether it may simply run again after a crash in its middle; the device alone decides that (protocol, section 4). */
  idempotent: boolean;
  /** JSON Schema; compiled into `src/generated/commands.js` under the command's name. */
  params: JsonSchema;
  result: JsonSchema;
  run(params: Params, context: CommandContext): unknown;
}

/** A compiled validator: fills `errors` when it says no. */
export interface ParamsCheck {
  (value: unknown): boolean;
  errors?: Parameters<typeof describeErrors>[0];
}

/** A definition joined with its validator, ready to be planned and run. */
export interface Command extends Omit<CommandDefinition<never>, 'run'> {
  check: ParamsCheck;
  /** Only with params that `check` has passed. */
  run(params: Record<string, unknown>, context: CommandContext): unknown;
}

/** Binds the typed definition to the validator of its own schema: the one place that may say what `params` are. */
export function command<Params>(definition: CommandDefinition<Params>, check: ParamsCheck): Command {
  return { ...definition, check, run: (params, context) => definition.run(params as Params, context) };
}
