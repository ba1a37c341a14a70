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
  machine: Machine;
  policy: CommandPolicy;
  commands: readonly Command[];
  /** What is in the folder of plug-ins and cannot be used, with the reason. */
  broken: readonly BrokenCommand[];
  orders(): OrderCounts;
  /** Most that a result may have as JSON, else it is cut. */
  resultBytes: number;
  order: RunningOrder;
  /**
   * What carried it out is gone, and it may run again: this attempt is recorded like the first, before its effect begins.
   * Resolves when that is durable.
   */
  startAgain(): Promise<void>;
  /** Tells the operators how far it is; live only, at most twice a second. */
  progress(progress: Progress): void;
}

/** The order for whose sake a command runs. */
export interface RunningOrder {
  orderId: string;
  /** 1 for the first run. */
  attempt: number;
  /** When its time is over, by the monotonic clock, milliseconds. */
  deadlineMs: number;
  /** What was recorded before `started`, by the command's {@link Confirmation}. */
  note: unknown;
}

export interface Progress {
  percent?: number;
  note?: string;
  data?: Record<string, unknown>;
}

/** A plug-in that cannot be used. */
export interface BrokenCommand {
  name: string;
  why: string;
}

/**
 * Which commands may run beside it: `shared`, any that is shared too; `per-name`, the same but never two of this name;
 * `exclusive`, none at all.
 */
export type Concurrency = 'shared' | 'per-name' | 'exclusive';

/**
 * How a command whose effect ends this process knows afterwards that it took place. The note is on disk before `started`,
 * so after a restart either the effect can be seen, or it did not happen and may be had again.
 */
export interface Confirmation<Params> {
  /** What things are like before the effect. JSON. */
  note(params: Params, device: DeviceFacts): unknown;
  /** The result, if the effect took place since then. */
  happened(note: unknown, params: Params, device: DeviceFacts): unknown;
}

/** Facts of the machine and of this process, read when asked for. */
export interface DeviceFacts {
  /** Since the device booted, seconds. */
  uptimeSeconds(): number;
  /** Which process this is: another after each restart. */
  processId(): string;
  /** Epoch milliseconds: the device's own, and the server's if it was heard. */
  now(): { wallMs: number; serverMs: number | undefined };
  /** Since this process began, seconds. */
  processUptimeSeconds(): number;
  bootId(): string;
  versions(): { app: string; node: string; kernel: string; platform: string; arch: string };
  /** Bytes. */
  memory(): { totalBytes: number; freeBytes: number; processRssBytes: number; processHeapUsedBytes: number };
  /** Over 1, 5 and 15 minutes. */
  loadAverage(): readonly number[];
}

/** What a command may have done to the machine. Each may throw, and ends when the signal is aborted. */
export interface Machine {
  /** One of the programs that the configuration names. @throws RejectedError `command-failed` */
  control(what: 'reboot' | 'shutdown', order: RunningOrder, signal: AbortSignal): Promise<void>;
  script(script: Script, order: RunningOrder, signal: AbortSignal): Promise<ScriptEnd>;
  restartApp(app: string): Promise<{ app: string; pid: number; previousPid: number; tookMs: number }>;
  /** @param forMs then it is what it was before. @returns the level before. */
  setLogLevel(app: string, level: string, forMs?: number): Promise<string>;
  /** What is too large for an answer: status, configuration, logs, journal; without secrets. */
  collect(order: RunningOrder, signal: AbortSignal): Promise<Record<string, unknown>>;
  /**
   * To the server on lane `history`, in parts; resolves when all of them are on disk. After a cut it goes on with the text that
   * it had then.
   */
  upload(
    make: () => Promise<string>,
    order: RunningOrder,
    signal: AbortSignal,
  ): Promise<{ parts: number; sizeBytes: number }>;
}

export interface Script {
  text: string;
  user: string | undefined;
}

export interface ScriptEnd {
  stdout: string;
  stderr: string;
  /** Not all of it was kept. */
  truncated: boolean;
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
  /** Default `shared`. */
  concurrency?: Concurrency;
  /** For an order without `timeoutMs`, and the most that one may ask for; default the executor's own. Milliseconds. */
  timeoutMs?: number;
  /** It needs a signature by a command key, whatever the policy says. */
  signed?: boolean;
  /** System user that its program is to run as, if not the default one: the policy must name that user. */
  user?(params: Params): string | undefined;
  /** Its run ends soon after its signal, by itself, and leaves nothing behind: so the order ends after it, not before. */
  endsWhenTold?: boolean;
  /** Once begun it goes on to its end, which is near: a cancel and the deadline come too late, and the order ends as it does. */
  cannotStop?: boolean;
  confirmation?: Confirmation<Params>;
  run(params: Params, context: CommandContext): unknown;
}

/** A compiled validator: fills `errors` when it says no. */
export interface ParamsCheck {
  (value: unknown): boolean;
  errors?: Parameters<typeof describeErrors>[0];
}

/** A definition joined with its validator, ready to be planned and run. */
export interface Command extends Omit<CommandDefinition<Params>, 'run'> {
  origin: CommandOrigin;
  check: ParamsCheck;
  /** What carries it out is not there for the moment: its orders wait in line. */
  isAway?(): boolean;
  /** Only with params that `check` has passed. */
  run(params: Params, context: CommandContext): unknown;
}

/** Where a command comes from: with Bowline, from the folder of plug-ins or of modules, from a program that runs on the device. */
export type CommandOrigin = 'built-in' | 'plug-in' | 'module' | 'program';

type Params = Record<string, unknown>;

/**
 * Binds a typed definition to the validator of its own schema: the one place that may say what `params` are.
 *
 * @typeParam P what the schema `params` describes.
 */
export function defineCommand<P>(
  definition: CommandDefinition<P>,
  check: ParamsCheck,
  origin: CommandOrigin = 'built-in',
): Command {
  return { ...(definition as unknown as CommandDefinition<Params>), check, origin };
}
