import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  backoffMs,
  childEnvironment,
  unrestricted,
  type Clock,
  type Logger,
  type Timer,
} from '@bowline/runtime';
import { BowlineError, ContractError, hasCode, TransientError } from '@bowline/runtime/errors';
import type { PluginConfig } from '../config.ts';
import { decodeLine } from '../core/plugins/decode-line.ts';
import { LineSplitter } from '../core/plugins/split-lines.ts';
import type { Ingest } from '../core/ingest/ingest.ts';
import type { PluginGroups } from './plugin-groups.ts';

export interface PluginOptions {
  name: string;
  config: PluginConfig;
  ingest: Ingest;
  groups: PluginGroups;
  clock: Clock;
  log: Logger;
}

const LINE_CHARS = 65_536;
/** What it has run for by then counts as working: the backoff starts anew. */
const STABLE_MS = 60_000;
/** Asked to end, and not gone by then, it is killed. */
const GRACE_MS = 2000;
/** The same complaint is logged this often at most. */
const COMPLAIN_EVERY_MS = 60_000;
const MOST_STDERR_CHARS = 2000;
/** Lines on standard error that are logged in a minute. */
const MOST_SAID = 100;

/**
 * One source plug-in: a program that prints JSON lines. It is started again whenever it ends, with backoff. It leads a process
 * group of its own, which is ended as a whole, so what it has started does not outlive it.
 */
export class PluginProcess {
  readonly #options: PluginOptions;
  readonly #log: Logger;
  #child: ChildProcess | undefined;
  #retry: Timer | undefined;
  #attempt = 0;
  #startedAtMs = 0;
  #stopped = false;
  #refused = 0;
  #complainedAtMs = Number.NEGATIVE_INFINITY;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: PluginOptions) {
    this.#options = options;
    this.#log = options.log.child({ plugin: options.name });
    this.#start();
  }

  /** Asks its group to end, then ends it. What it has printed until then is taken. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    const pid = this.#child?.pid;
    if (pid !== undefined) {
      signalGroup(pid, 'SIGTERM');
      const grace = setTimeout(() => signalGroup(pid, 'SIGKILL'), GRACE_MS);
      await this.#ended;
      clearTimeout(grace);
    }
    await this.#ended;
  }

  #start(): void {
    const { config, clock, groups, name } = this.#options;
    const [program = '', ...args] = config.command;
    this.#startedAtMs = clock.monotonicMs();
    const child = spawn(...unrestricted(program, args), {
      cwd: '/',
      env: { ...childEnvironment(), ...config.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Leader of a group of its own.
      detached: true,
    });
    this.#child = child;
    if (child.pid !== undefined) {
      groups.started(name, child.pid);
      this.#log.info({ pid: child.pid }, 'plug-in started');
    }
    const read = Promise.all([this.#readSamples(child.stdout), this.#readErrors(child.stderr)]);
    const gone = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    this.#ended = gone.then(async (how) => {
      // What it started and left behind would keep its pipes open.
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
      await read.catch((error: unknown) =>
        this.#log.error({ error }, 'the output of a plug-in cannot be read'),
      );
      groups.ended(name);
      this.#child = undefined;
      if (!this.#stopped) this.#startLater(how);
    });
  }

  #startLater(how: string): void {
    const { clock } = this.#options;
    const ranMs = Math.round(clock.monotonicMs() - this.#startedAtMs);
    if (ranMs >= STABLE_MS) this.#attempt = 0;
    const delayMs = backoffMs(this.#attempt, Math.random(), { minMs: 500, baseMs: 1000, capMs: 60_000 });
    this.#attempt += 1;
    this.#log.warn({ how, ranMs, delayMs: Math.round(delayMs) }, 'a plug-in has ended: it is started again');
    this.#retry = clock.after(delayMs, () => this.#start());
  }

  async #readSamples(stdout: Readable): Promise<void> {
    const lines = new LineSplitter(LINE_CHARS);
    stdout.setEncoding('utf8');
    for await (const chunk of stdout as AsyncIterable<string>) {
      const before = lines.tooLong;
      await this.#takeAll(lines.push(chunk));
      if (lines.tooLong > before) this.#complain(`a line is longer than ${LINE_CHARS} characters`);
    }
    await this.#takeAll(lines.end());
  }

  async #takeAll(lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      try {
        await this.#take(line);
      } catch (error) {
        if (!(error instanceof BowlineError)) throw error;
        this.#complain(error.message);
      }
    }
  }

  /** One that is too fast is not read meanwhile: its pipe fills, and it waits. */
  async #take(line: string): Promise<void> {
    const { ingest } = this.#options;
    const decoded = decodeLine(line);
    const handIn = 'event' in decoded ? ingest.printed(decoded.event) : () => ingest.samples(decoded.samples);
    for (;;) {
      try {
        await handIn();
        return;
      } catch (error) {
        // At the end there is no time to wait; samples still find room in the buffer.
        if (error instanceof TransientError && this.#stopped && 'samples' in decoded)
          return ingest.measured(decoded.samples);
        if (!(error instanceof TransientError) || this.#stopped || error instanceof ContractError)
          throw error;
        await sleep(error.retryAfterMs ?? 1000, undefined, { ref: false });
      }
    }
  }

  #complain(why: string): void {
    const { clock } = this.#options;
    this.#refused += 1;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#complainedAtMs < COMPLAIN_EVERY_MS) return;
    this.#complainedAtMs = nowMs;
    this.#log.warn({ why, refused: this.#refused }, 'lines of a plug-in were not taken');
  }

  async #readErrors(stderr: Readable): Promise<void> {
    const lines = new LineSplitter(MOST_STDERR_CHARS);
    stderr.setEncoding('utf8');
    const { clock } = this.#options;
    let [said, sinceMs] = [0, clock.monotonicMs()];
    const say = (each: string) => {
      if (clock.monotonicMs() - sinceMs >= COMPLAIN_EVERY_MS) {
        if (said > MOST_SAID)
          this.#log.warn({ lines: said - MOST_SAID }, 'a plug-in says too much: left out');
        [said, sinceMs] = [0, clock.monotonicMs()];
      }
      said += 1;
      if (said <= MOST_SAID) this.#log.warn({ stderr: each }, 'a plug-in says');
      if (said === MOST_SAID)
        this.#log.warn({}, 'a plug-in says too much: the rest of this minute is left out');
    };
    for await (const chunk of stderr as AsyncIterable<string>) lines.push(chunk).forEach(say);
    lines.end().forEach(say);
  }
}

function signalGroup(leader: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-leader, signal);
  } catch (error) {
    if (!hasCode(error, 'ESRCH', 'EPERM')) throw error;
  }
}
