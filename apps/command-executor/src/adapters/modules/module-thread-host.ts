import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { childEnvironment, type Clock, type Logger } from '@bowline/runtime';
import { BowlineError, CancelledError, RejectedError } from '@bowline/runtime/errors';
import type { CommandContext } from '../../core/command.ts';
import { isCancelled } from '../../core/stop-reason.ts';
import { OutputLines } from '../../core/output-lines.ts';
import { asProgress } from '../../core/program-output.ts';
import type { ThreadData } from '../../module-thread.ts';

export interface ThreadOptions {
  /** Of the bundle or source of module-thread.ts. */
  thread: URL;
  /** The module. */
  file: string;
  limits: {
    /** Until it must have loaded. */
    loadMs: number;
    /** Between telling a run to stop and ending the thread. */
    killGraceMs: number;
    /** Of its heap. */
    memoryBytes: number;
    /** What an order may log in all; so much again what is written to standard output meanwhile. */
    logChars: number;
    /** Of one progress as JSON. */
    progressChars: number;
  };
  clock: Clock;
  log: Logger;
}

type Message =
  | { type: 'ready'; description: string }
  | { type: 'progress'; orderId: string; progress: string }
  | { type: 'log'; orderId: string; text: string; isLast: boolean }
  | { type: 'result'; orderId: string; result: string; isGiven: boolean }
  | { type: 'failure'; orderId: string; message: string };

interface Run {
  context: CommandContext;
  /** @param isGiven it returned something. */
  result(json: string, isGiven: boolean): void;
  fail(error: Error): void;
}

const LOG_LINE_CHARS = 2000;
const MEBIBYTE = 1_048_576;

/**
 * A thread with one command module in it. What goes wrong in it (an endless loop, too much memory, an error that nobody caught,
 * `process.exit`) ends the thread and the runs in it, and nothing else.
 */
export class ModuleThread {
  readonly #options: ThreadOptions;
  readonly #worker: Worker;
  readonly #runs = new Map<string, Run>();
  readonly #description = Promise.withResolvers<unknown>();
  #fault: Error | undefined;
  #retired = false;
  /** Characters of its standard output that are still logged; anew with each run. */
  #outputRoom: number;
  ended = false;

  constructor(options: ThreadOptions) {
    this.#options = options;
    const { thread, file, limits, clock } = options;
    const { logChars, progressChars } = limits;
    this.#outputRoom = logChars;
    const workerData: ThreadData = {
      url: pathToFileURL(file).href,
      limits: { logChars, lineChars: LOG_LINE_CHARS, progressChars },
    };
    this.#worker = new Worker(thread, {
      // Seen in /proc and by top.
      name: 'bowline-module',
      workerData,
      env: childEnvironment(),
      execArgv: [],
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: Math.ceil(limits.memoryBytes / MEBIBYTE) },
    });
    const lines = new OutputLines(({ text }) => this.#logOutput(text), LOG_LINE_CHARS);
    for (const stream of [this.#worker.stdout, this.#worker.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => lines.push(text));
    const late = clock.after(limits.loadMs, () => this.#end(`it has not loaded within ${limits.loadMs} ms`));
    this.#worker.on('message', (message: Message) => {
      if (message.type === 'ready') late.cancel();
      this.#hear(message);
    });
    this.#worker.on('error', (error: unknown) => {
      this.#fault ??= error instanceof Error ? error : new Error(String(error));
    });
    this.#worker.once('exit', () => {
      late.cancel();
      this.#ended();
    });
    this.#description.promise.catch(() => undefined);
  }

  /** What the module says of its command. @throws Error why it cannot be loaded. */
  get description(): Promise<unknown> {
    return this.#description.promise;
  }

  /** No more runs: it ends when those in it have. */
  retire(): void {
    this.#retired = true;
    this.#endIfIdle();
  }

  /** @returns its result as JSON. @throws RejectedError `command-failed`; the signal's reason. */
  run(params: unknown, context: CommandContext): Promise<unknown> {
    const { clock, limits } = this.#options;
    const { order, signal } = context;
    const { orderId, attempt, deadlineMs } = order;
    return new Promise<unknown>((resolve, reject) => {
      const stop = () => {
        const { reason } = signal as { reason: unknown };
        const why = reason instanceof BowlineError ? reason.code : 'cancelled';
        this.#say({ type: 'cancel', orderId, reason: why });
        const isStopping = reason instanceof CancelledError && why === 'stopping';
        clock.after(isStopping ? 0 : limits.killGraceMs, () => {
          if (this.#runs.has(orderId)) this.#end(`it did not end within ${limits.killGraceMs} ms`);
        });
      };
      const over = () => {
        this.#runs.delete(orderId);
        signal.removeEventListener('abort', stop);
        this.#endIfIdle();
      };
      this.#outputRoom = this.#options.limits.logChars;
      this.#runs.set(orderId, {
        context,
        result: (json, isGiven) => {
          over();
          // Like a plug-in that ends with exit code 0 and a result: the cancel came too late.
          if (signal.aborted && !(isGiven && isCancelled(signal))) reject(signal.reason);
          else resolve(JSON.parse(json));
        },
        fail: (error) => (over(), reject(signal.aborted ? signal.reason : error)),
      });
      const timeoutMs = Math.max(0, Math.round(deadlineMs - clock.monotonicMs()));
      this.#say({ type: 'run', orderId, params, attempt, timeoutMs });
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
    });
  }

  #say(message: object): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows; a thread has no origin
    this.#worker.postMessage(message);
  }

  #hear(message: Message): void {
    if (message.type === 'ready') return this.#description.resolve(JSON.parse(message.description));
    const run = this.#runs.get(message.orderId);
    if (run === undefined) return; // it has ended, or there never was one
    switch (message.type) {
      case 'progress': {
        const text = message.progress;
        const progress = asProgress({ text, length: text.length });
        if (progress !== undefined) run.context.progress(progress);
        return;
      }
      case 'log':
        return this.#log(message.text, message.isLast, { orderId: message.orderId });
      case 'result':
        return run.result(message.result, message.isGiven);
      case 'failure':
        return run.fail(new RejectedError('command-failed', message.message));
    }
  }

  #logOutput(output: string): void {
    if (this.#outputRoom <= 0) return;
    this.#outputRoom -= output.length + 1;
    this.#log(output, this.#outputRoom <= 0);
  }

  #log(output: string, isLast: boolean, about: { orderId?: string } = {}): void {
    this.#options.log.info({ ...about, output }, 'the module says');
    if (isLast) this.#options.log.warn(about, 'the module says more than is logged: the rest is left out');
  }

  #end(why: string): void {
    this.#fault ??= new Error(why);
    void this.#worker.terminate();
  }

  #ended(): void {
    this.ended = true;
    const why = this.#fault?.message ?? 'it ended by itself';
    this.#description.reject(new Error(why));
    for (const run of this.#runs.values())
      run.fail(new RejectedError('command-failed', `the thread of its module ended: ${why}`));
  }

  #endIfIdle(): void {
    if (this.#retired && this.#runs.size === 0) void this.#worker.terminate();
  }
}
