/**
 * What a command in TypeScript is written with (docs/commands.md). This file imports nothing: a copy of it beside a module is all
 * that an editor needs; the executor puts its own in place of it.
 */

/** JSON Schema 2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export interface CommandProgress {
  /** 0 to 100. */
  percent?: number;
  note?: string;
  data?: Record<string, unknown>;
}

/** The order for whose sake a command runs, and what it may say of it. */
export interface CommandContext {
  orderId: string;
  /** 1 for the first run. */
  attempt: number;
  /** What is left of its time when it begins, milliseconds. */
  timeoutMs: number;
  /** Aborted when the time is over, on cancel and when the executor stops: end soon after it, or be ended. */
  signal: AbortSignal;
  /** Tells the operators how far it is; live only, at most twice a second. */
  progress(progress: CommandProgress): void;
  /** Into the log of the executor. */
  log(text: string): void;
}

/**
 * @typeParam P what `params` describes: `run` gets only what has passed it.
 * @typeParam R what `result` describes; JSON.
 */
export interface CommandDefinition<P = Record<string, never>, R = unknown> {
  /** Under which an order asks for it, and the policy allows it. */
  name: string;
  /** One sentence for operators. */
  description: string;
  /** Whether it may run again after it was cut off; only this decides that. */
  idempotent: boolean;
  /** Absent: it takes none. */
  params?: JsonSchema;
  /** Absent: anything. */
  result?: JsonSchema;
  /** For an order without `timeoutMs`, and the most that one may ask for; default the executor's own. */
  timeoutMs?: number;
  /** Which commands may run beside it; default `shared`. */
  concurrency?: 'shared' | 'per-name' | 'exclusive';
  /** What it asks for beyond the policy of the device. */
  policy?: { signed?: boolean };
  /** @throws whatever it likes: the order fails with its message. */
  run(params: P, context: CommandContext): R | Promise<R>;
}

/** `export default defineCommand<Params, Result>({ … })` makes a module a command. */
export function defineCommand<P = Record<string, never>, R = unknown>(
  definition: CommandDefinition<P, R>,
): CommandDefinition<P, R> {
  return definition;
}
