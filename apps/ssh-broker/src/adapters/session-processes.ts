import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { childEnvironment, unrestricted, type Logger } from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';
import { wait, type Clock } from '@bowline/runtime/clock';
import { LAST_RESORT, UPTIME_FILE } from '../core/last-resort.ts';
import { SESSION_VARIABLE } from '../core/sshd-config.ts';
import { isOwnAuditSession, sessionProcesses } from './find-processes.ts';
import type { SessionGroup, SessionGroups } from './session-group.ts';

export interface Sshd extends ChildProcessByStdio<Writable, Readable, Readable> {
  /** Ends it, if it has not ended by itself. */
  stop(): void;
}

/** How long the end of all processes of a session is waited for; they have no say in it. */
const END_WITHIN_MS = 5000;
/** And how long sshd may take to go by itself. */
const ASKED_WITHIN_MS = 500;
const LOOK_EVERY_MS = 20;
const MAX_LOG_LINE = 500;

/** The processes of one session, from the first sshd to the last that anybody started in it. */
export class SessionProcesses {
  readonly group: SessionGroup;
  readonly #sessionId: string;
  /** Streams that are open, by their number. */
  readonly #open = new Map<number, { pid: number; stop: (signal: NodeJS.Signals) => void }>();
  readonly #log: Pick<Logger, 'debug' | 'warn'>;
  readonly #loginUid: number;
  /** Of the kernel's, one for each stream. */
  readonly #auditSessions = new Set<string>();

  /** @param loginUid who logs in. */
  constructor(
    sessionId: string,
    groups: SessionGroups,
    log: Pick<Logger, 'debug' | 'warn'>,
    loginUid = process.getuid?.() ?? 0,
  ) {
    this.#sessionId = sessionId;
    this.#loginUid = loginUid;
    this.group = groups.make(sessionId);
    this.#log = log;
  }

  /** `sshd -i`: one connection, over pipes. @param stream its number in the session. */
  start(stream: number, sshdPath: string, configFile: string): Sshd {
    const sshd = ['-i', '-e', '-f', configFile];
    const { program, args } = this.group.command(stream, sshdPath, sshd, this.#loginUid);
    const env = { ...childEnvironment(), [SESSION_VARIABLE]: this.#sessionId };
    const child = spawn(program, args, {
      env,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
    }) as ChildProcessByStdio<Writable, Readable, Readable>;
    const { pid } = child;
    const told = child.stdio[3] as Readable | undefined;
    told?.on('error', () => undefined).on('data', (data) => this.#isIn(String(data).trim()));
    const stop = (signal: NodeJS.Signals) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      if (!this.group.stop(stream) || signal === 'SIGKILL') child.kill(signal);
    };
    if (pid !== undefined) {
      this.#open.set(stream, { pid, stop });
      child.once('exit', () => this.#open.delete(stream));
    }
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log.debug({ sessionId: this.#sessionId, sshd: text.trim().slice(0, MAX_LOG_LINE) }, 'sshd');
    });
    child.on('error', () => undefined); // `close` follows
    return Object.assign(child, { stop: () => stop('SIGKILL') });
  }

  /**
   * Ends what is left of the session after a time, by a process of its own.
   *
   * @param afterMs from now, the device's sleep included.
   */
  endAtTheLatest(afterMs: number, uptimeFile = UPTIME_FILE): void {
    const hundredths = String(Math.ceil(afterMs / 10));
    const args = ['-c', LAST_RESORT, 'sh', this.#sessionId, this.group.killFile, hundredths, uptimeFile];
    const [program, programArgs] = unrestricted('/bin/sh', args);
    const env = { ...childEnvironment(), [SESSION_VARIABLE]: this.#sessionId };
    const child = spawn(program, programArgs, { env, stdio: 'ignore', detached: true });
    child.on('error', (error) => this.#log.warn({ sessionId: this.#sessionId, error }, 'no last resort'));
    child.unref();
  }

  #isIn(auditSession: string): void {
    if (isOwnAuditSession(auditSession)) this.#auditSessions.add(auditSession);
  }

  pids(): number[] {
    const roots = [...this.#open.values()].map(({ pid }) => pid);
    return [
      ...new Set([
        ...this.group.pids(),
        ...sessionProcesses([this.#sessionId], { roots, auditSessions: this.#auditSessions }),
      ]),
    ];
  }

  /**
   * Kills all of them; each sshd is asked first, so that it takes its traces along (sockets of agents, who is logged in).
   *
   * @returns how many are left: 0, or something is wrong with this machine.
   */
  async end(clock: Clock): Promise<number> {
    for (const { stop } of this.#open.values()) stop('SIGTERM');
    const until = clock.monotonicMs() + ASKED_WITHIN_MS;
    while (this.#open.size > 0 && clock.monotonicMs() < until) await wait(clock, LOOK_EVERY_MS);
    return endAll(clock, () => this.pids(), [this.group]);
  }
}

/** Kills what sessions of an earlier life of this process have left behind. @returns how many there were, and are still. */
export async function endLeftovers(
  sessionIds: readonly string[],
  groups: readonly SessionGroups[],
  clock: Clock,
): Promise<{ killed: number; survivors: number }> {
  const found = groups.flatMap((each) => sessionIds.map((id) => each.find(id)));
  const pids = () => [
    ...new Set([...found.flatMap((group) => group.pids()), ...sessionProcesses(sessionIds)]),
  ];
  const killed = pids().length;
  return { killed, survivors: await endAll(clock, pids, found) };
}

async function endAll(clock: Clock, pids: () => number[], groups: readonly SessionGroup[]): Promise<number> {
  const until = clock.monotonicMs() + END_WITHIN_MS;
  for (;;) {
    for (const group of groups) group.kill();
    const left = pids();
    for (const pid of left) kill(pid);
    const gone =
      left.length === 0 && (await Promise.all(groups.map((group) => group.remove()))).every(Boolean);
    if (gone) return 0;
    if (clock.monotonicMs() >= until) return pids().length;
    await wait(clock, LOOK_EVERY_MS);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH', 'EPERM')) throw error;
  }
}
