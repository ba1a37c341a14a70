import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupProcs, childEnvironment, removeCgroup, type Logger } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import type { RunningOrder } from '../../core/command.ts';
import { GATE_FD, launchLine, MARK } from '../../core/launch-line.ts';
import { OutputLines } from '../../core/output-lines.ts';
import { strictest } from '../../core/program-limits.ts';
import { isCancelled, isStopping } from '../../core/stop-reason.ts';
import type { ProgramLimits } from '../../manifest.ts';
import type { ControlGroups } from './control-group.ts';
import { ProcessTree, type RunMark } from './process-tree.ts';
import { nowTicks, readStat } from './read-processes.ts';
import type { RunRecords } from './run-records.ts';

export interface ProgramOptions {
  records: RunRecords;
  groups: ControlGroups;
  log: Logger;
  /** System user of programs that name none; undefined: this process's own. */
  programUser: string | undefined;
  /** What a program gets at most. */
  limits: ProgramLimits;
  /** Between SIGTERM and SIGKILL. */
  killGraceMs: number;
  /** Of what a program says and that is not its result, characters that reach the log. */
  outputLogChars: number;
}

export interface Program {
  order: RunningOrder;
  /** Name of the command, for log and record. */
  command: string;
  file: string;
  args: readonly string[];
  cwd: string;
  /** All of its standard input. */
  input: string;
  user: string | undefined;
  limits: ProgramLimits;
  /** It goes on when this process stops: its very purpose is to end all of them. */
  survivesStop?: boolean;
  /** After exit code 0: it has handed over its result, so a cancel came too late. */
  hasResult?(): boolean;
  /** More of its environment. */
  env?: Record<string, string>;
  /** @param say writes a line to the log, within the same bounds as its standard error. */
  onOutput(text: string, say: (line: string) => void): void;
  onErrorOutput?(text: string): void;
}

/** Of its standard error, for the message of a failure. */
const TOLD_CHARS = 1000;
/** Of a line in the log. */
const LOG_LINE_CHARS = 2000;
/** After everything of a run has ended, its last output is waited for so long. */
const LAST_OUTPUT_MS = 1000;

/** Runs programs, each in a session of its own, and leaves nothing of them behind. */
export class Programs {
  readonly #options: ProgramOptions;

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  /**
   * Runs one to its end, and ends what it has left running. It begins only when it is on record; when the signal is aborted it
   * gets SIGTERM, then SIGKILL, and this returns when nothing of it is left.
   *
   * @throws RejectedError `command-failed` (its exit code, the end of its standard error), `user-unavailable`; the signal's
   *   reason; TransientError `run-unrecorded`.
   */
  async run(program: Program, signal: AbortSignal): Promise<void> {
    const { records } = this.#options;
    const { orderId } = program.order;
    const { child, tree, mark } = await this.#launch(program);
    const told = this.#listen(child, program);
    const exit = exitOf(child);
    const closed = new Promise((resolve) => child.once('close', resolve));
    const grace = () => graceMs(signal, this.#options.killGraceMs);
    try {
      records.begin(orderId, program.command, mark);
      if (!signal.aborted) (child.stdio[GATE_FD] as NodeJS.WritableStream).end('go\n');
      child.stdin?.end(program.input);
      await Promise.race([exit, aborted(signal)]);
      if (signal.aborted && program.survivesStop === true && isStopping(signal)) {
        child.unref();
        throw signal.reason;
      }
      if (signal.aborted) await tree.end(grace());
      const { code, signal: endedBy } = await exit;
      tree.endedTicks = nowTicks();
      await this.#endRest(tree, program, grace());
      await Promise.race([closed, sleep(LAST_OUTPUT_MS)]);
      const isTooLate = code === 0 && isCancelled(signal) && program.hasResult?.() === true;
      if (!isTooLate) signal.throwIfAborted();
      if (code !== 0) throw new RejectedError('command-failed', failure(code, endedBy, told()));
    } finally {
      const isLeft = program.survivesStop === true && isStopping(signal);
      if (!isLeft && child.exitCode === null && child.signalCode === null) await tree.end(0);
      for (const stream of child.stdio) stream?.destroy();
      records.end(orderId);
    }
  }

  async #launch(program: Program): Promise<{ child: ChildProcess; tree: ProcessTree; mark: RunMark }> {
    const { groups, programUser, limits } = this.#options;
    const mark = randomUUID();
    const group = groups.make(mark);
    const [file, args] = launchLine({
      file: program.file,
      args: program.args,
      user: userToBecome(program.user ?? programUser),
      limits: strictest(program.limits, limits),
      groupFile: group === undefined ? undefined : cgroupProcs(group),
    });
    const env = {
      ...childEnvironment(),
      ...program.env,
      [MARK]: mark,
      BOWLINE_ORDER_ID: program.order.orderId,
    };
    let child: ChildProcess;
    try {
      // It throws at once for what no program may be given, such as a NUL in an argument.
      child = spawn(file, args, {
        cwd: program.cwd,
        env,
        detached: true, // setsid(2)
        stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      });
      // A program that does not read what it is given, or ends first, is no fault of ours.
      for (const stream of child.stdio) stream?.on('error', () => undefined);
      await once(child, 'spawn');
    } catch (error) {
      if (group !== undefined) removeCgroup(group);
      throw new RejectedError('command-failed', `it cannot be started: ${String(error)}`, { cause: error });
    }
    const pid = child.pid ?? 0;
    const run = { pid, startTicks: readStat(pid)?.startTicks ?? 0, mark, group };
    return { child, tree: new ProcessTree(run), mark: run };
  }

  /** @returns a function that gives the end of its standard error. */
  #listen(child: ChildProcess, { order, command, onOutput, onErrorOutput }: Program): () => string {
    const log = this.#options.log.child({ orderId: order.orderId, command });
    let end = '';
    let room = this.#options.outputLogChars;
    const say = (text: string, length = text.length) => {
      if (room <= 0) return;
      room -= text.length + 1;
      log.info({ output: text, ...(text.length < length ? { length } : {}) }, 'the program says');
      if (room <= 0) log.warn('the program says more than is logged: the rest is left out');
    };
    const lines = new OutputLines(({ text, length }) => say(text, length), LOG_LINE_CHARS);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      onOutput(text, (line) => say(line.slice(0, LOG_LINE_CHARS), line.length));
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      end = (end + text).slice(-TOLD_CHARS);
      onErrorOutput?.(text);
      lines.push(text);
    });
    child.stderr?.once('end', () => lines.end());
    return () => end.trim();
  }

  async #endRest(tree: ProcessTree, { order, command }: Program, grace: number): Promise<void> {
    const { found, left } = await tree.end(grace);
    if (found === 0) return;
    const about = left === 0 ? 'they were ended' : 'some of them cannot be ended';
    this.#options.log.warn(
      { orderId: order.orderId, command, found, left },
      `the program ended and left processes behind: ${about}`,
    );
  }
}

/** Whoever stops this process will not wait long. */
const STOPPING_GRACE_MS = 500;

const graceMs = (signal: AbortSignal, usualMs: number): number =>
  isStopping(signal) ? Math.min(usualMs, STOPPING_GRACE_MS) : usualMs;

/** Only root can become somebody else. */
function userToBecome(user: string | undefined): string | undefined {
  const isRoot = process.getuid?.() === 0;
  if (user === undefined || user === (isRoot ? 'root' : userInfo().username)) return undefined;
  if (isRoot) return user;
  throw new RejectedError('user-unavailable', `it is to run as ${user}, but only root can do that here`);
}

function failure(code: number | null, signal: NodeJS.Signals | null, errorOutput: string): string {
  const how = code === null ? `it was ended by ${signal}` : `it ended with exit code ${code}`;
  return errorOutput === '' ? how : `${how}: ${errorOutput}`;
}

const exitOf = (child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> =>
  new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
