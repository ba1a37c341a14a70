import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const STOP_WITHIN_MS = 10_000;

export interface ProcessOptions {
  args?: readonly string[];
  /** Of Node, before the script. */
  nodeArgs?: readonly string[];
  env?: NodeJS.ProcessEnv;
}

/** A process of the benchmark: a worker of ours, or an app as it runs on a device. */
export class BenchProcess {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #logFile: string;
  readonly #waiting = new Map<
    number,
    { resolve: (output: unknown) => void; reject: (error: Error) => void }
  >();
  readonly #ready: Promise<void>;
  #calls = 0;

  constructor(child: ChildProcess, name: string, logFile: string) {
    if (child.pid === undefined) throw new Error(`cannot start ${name}`);
    this.pid = child.pid;
    this.#child = child;
    this.#name = name;
    this.#logFile = logFile;
    this.#ready = new Promise((resolve, reject) => {
      child.on('message', (message) => (message === 'ready' ? resolve() : this.#answered(message)));
      child.once('exit', (code, signal) => {
        const error = this.#failure(`ended with ${signal ?? code}`);
        reject(error);
        for (const { reject: fail } of this.#waiting.values()) fail(error);
      });
    });
    this.#ready.catch(() => undefined); // whoever waits for it is told; nobody has to
  }

  /** Resolves when the process has said that it is ready. */
  ready(): Promise<void> {
    return this.#ready;
  }

  /** Has a worker do something, see worker.ts. */
  call<T = void>(name: string, input: object = {}): Promise<T> {
    const call = (this.#calls += 1);
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject });
      this.#child.send({ call, name, input });
    }) as Promise<T>;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Politely, then not. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_WITHIN_MS);
    await exited;
    clearTimeout(late);
  }

  #answered(message: unknown): void {
    const { call, output, error } = message as { call: number; output?: unknown; error?: string };
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    if (error === undefined) waiting?.resolve(output);
    else waiting?.reject(this.#failure(error));
  }

  #failure(what: string): Error {
    const log = readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-10).join('\n');
    return new Error(`${this.#name}: ${what}${log === '' ? '' : `\n${log}`}`);
  }
}

/** All processes of a run, so that none outlives it. Each also ends by itself when the run's end of its channel closes. */
export class Processes {
  readonly #folder: string;
  readonly #started: BenchProcess[] = [];

  /** @param folder for what they write to stdout and stderr. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts a script under Node and waits until it is ready. */
  async node(name: string, script: string, options: ProcessOptions = {}): Promise<BenchProcess> {
    const { nodeArgs = [], args = [], env } = options;
    const started = this.start(name, process.execPath, [...nodeArgs, script, ...args], env);
    await started.ready();
    return started;
  }

  start(
    name: string,
    program: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = process.env,
  ): BenchProcess {
    const logFile = join(this.#folder, `${name}.log`);
    const log = openSync(logFile, 'a');
    const child = spawn(program, args, { env, stdio: ['ignore', log, log, 'ipc'] });
    closeSync(log);
    child.on('error', () => undefined); // no pid then: the constructor says so
    const started = new BenchProcess(child, name, logFile);
    this.#started.push(started);
    return started;
  }

  async endAll(): Promise<void> {
    await Promise.all(this.#started.map((started) => started.end()));
  }
}

/** Resident memory in MiB: all of it, and without the pages of files such as the store's. */
export function residentMiB(pid: number): { all: number; anonymous: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN);
  return { all: kib('VmRSS') / 1024, anonymous: kib('RssAnon') / 1024 };
}

/** Bytes that the process has caused to be written to storage so far. */
export function writtenBytes(pid: number): number {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? NaN);
}
