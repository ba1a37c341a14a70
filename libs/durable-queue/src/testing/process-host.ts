import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WriteBatch } from '../queue.ts';
import { Failed, type Burst, type Clocks, type Host } from './host.ts';
import type { ModelLimits } from './model.ts';
import type { Snapshot } from './snapshot.ts';

const SCRIPT = new URL('store-process.ts', import.meta.url).pathname;

export type Call =
  | { do: 'burst'; batches: readonly WriteBatch[]; clocks: Clocks }
  | { do: 'renew' | 'compact' | 'snapshot' | 'close' };
export type Reply =
  | { kind: 'started'; pid: number }
  | { kind: 'done'; value: unknown }
  | { kind: 'failed'; code: string; detail: string };

/** The process ended before it answered: whether it did what it was asked to is not known. */
export class Died extends Error {}

/** A system call of the store that returns EIO from the nth time on that a thread makes it. */
export interface IoError {
  call: 'fdatasync' | 'pwrite64' | 'writev';
  from: number;
}

/** A store in a process that can be killed, on a disk that can fail. */
export class ProcessHost implements Host {
  readonly folder: string;
  readonly #limits: ModelLimits;
  /** For the next start only. */
  ioError: IoError | undefined;
  #child: ChildProcess | undefined;
  #pid: number | undefined;
  #answer: { resolve: (value: unknown) => void; reject: (error: Error) => void } | undefined;

  constructor(folder: string, limits: ModelLimits) {
    this.folder = folder;
    this.#limits = limits;
  }

  /** Starts it and lets it open the store. @throws Died, Failed */
  async open(clocks: Clocks): Promise<void> {
    await this.#begin(clocks);
  }

  /** Starts it and kills it after so long, whatever it has come to. */
  async openAndKill(clocks: Clocks, afterMs: number): Promise<void> {
    const opened = this.#begin(clocks).catch(() => undefined);
    await Promise.race([opened, sleep(afterMs)]);
    await this.kill();
    await opened;
  }

  async burst(batches: readonly WriteBatch[], clocks: Clocks): Promise<Burst> {
    return (await this.#call({ do: 'burst', batches, clocks })) as Burst;
  }

  async renew(): Promise<void> {
    await this.#call({ do: 'renew' });
  }

  async compact(): Promise<void> {
    await this.#call({ do: 'compact' });
  }

  async snapshot(): Promise<Snapshot> {
    return (await this.#call({ do: 'snapshot' })) as Snapshot;
  }

  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    await this.#call({ do: 'close' });
    await ended;
    this.#child = undefined;
  }

  /** `kill -9`; returns when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    // Under strace the process has a pid of its own; before it has told it, strace takes it along.
    try {
      const pid = this.#pid ?? child.pid;
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
    await ended;
  }

  #begin(clocks: Clocks): Promise<unknown> {
    const node = [
      process.execPath,
      SCRIPT,
      this.folder,
      JSON.stringify(this.#limits),
      JSON.stringify(clocks),
    ];
    const [program = '', ...args] = this.ioError === undefined ? node : [...failing(this.ioError), ...node];
    this.ioError = undefined;
    this.#pid = undefined;
    // One thread that writes, so that its calls can be counted.
    const env = { ...process.env, UV_THREADPOOL_SIZE: '1' };
    const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#child = child;
    let said = '';
    child.stderr?.on('data', (text: Buffer) => (said = `${said}${text}`.slice(-2000)));
    child.on('message', (reply: Reply) => {
      if (reply.kind === 'started') this.#pid = reply.pid;
      else if (reply.kind === 'done') this.#answer?.resolve(reply.value);
      else this.#answer?.reject(new Failed(reply.code, reply.detail));
    });
    child.once('exit', (code, signal) => this.#answer?.reject(new Died(`by ${signal ?? code}: ${said}`)));
    return this.#answered();
  }

  async #call(call: Call): Promise<unknown> {
    const child = this.#child;
    if (child === undefined || !child.connected) throw new Died('before it was asked');
    const answered = this.#answered();
    child.send(call, () => undefined);
    return await answered;
  }

  #answered(): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#answer = { resolve, reject };
    return promise;
  }
}

/** Of strace: ends with its tracee, and hands it the channel. */
const failing = ({ call, from }: IoError): string[] => [
  'strace',
  '-f',
  '--seccomp-bpf',
  '-qq',
  '-o',
  '/dev/null',
  '-e',
  `trace=${call}`,
  '-e',
  `inject=${call}:error=EIO:when=${from}+`,
];
