import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import {
  childEnvironment,
  killCgroup,
  makeCgroup,
  pidsInCgroup,
  removeCgroup,
  type Logger,
} from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';
import { wait, type Clock } from '@bowline/runtime/clock';
import { SESSION_VARIABLE } from '../core/sshd-config.ts';
import { sessionProcesses } from './find-processes.ts';

export type Sshd = ChildProcessByStdio<Writable, Readable, Readable>;

/** How long the end of all processes of a session is waited for; they have no say in it. */
const END_WITHIN_MS = 5000;
const LOOK_EVERY_MS = 20;
const MAX_LOG_LINE = 500;

/** The same in each life of this process: what an earlier one has left is found by it. */
const cgroupName = (sessionId: string): string => `bowline-ssh-${sessionId}`;

/** Puts itself into the cgroup, then becomes sshd; NODE_OPTIONS is what Node's permission model adds. */
const INTO_CGROUP = 'echo $$ > "$1/cgroup.procs" && shift && unset NODE_OPTIONS && exec "$@"';
const PLAIN = 'shift && unset NODE_OPTIONS && exec "$@"';

/** The processes of one session, from the first sshd to the last that anybody started in it. */
export class SessionProcesses {
  readonly #sessionId: string;
  readonly #cgroup: string | undefined;
  readonly #children = new Set<number>();
  readonly #log: Pick<Logger, 'debug'>;

  constructor(sessionId: string, base: string | undefined, log: Pick<Logger, 'debug'>) {
    this.#sessionId = sessionId;
    this.#cgroup = base === undefined ? undefined : makeCgroup(base, cgroupName(sessionId));
    this.#log = log;
  }

  get hasCgroup(): boolean {
    return this.#cgroup !== undefined;
  }

  /** `sshd -i`: one connection, over pipes. */
  start(sshdPath: string, configFile: string): Sshd {
    const script = this.#cgroup === undefined ? PLAIN : INTO_CGROUP;
    const args = ['-c', script, 'sh', this.#cgroup ?? '', sshdPath, '-i', '-e', '-f', configFile];
    const env = { ...childEnvironment(), [SESSION_VARIABLE]: this.#sessionId };
    const child = spawn('/bin/sh', args, { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const { pid } = child;
    if (pid !== undefined) {
      this.#children.add(pid);
      child.once('exit', () => this.#children.delete(pid));
    }
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log.debug({ sessionId: this.#sessionId, sshd: text.trim().slice(0, MAX_LOG_LINE) }, 'sshd');
    });
    child.on('error', () => undefined); // `close` follows
    return child;
  }

  pids(): number[] {
    const inCgroup = this.#cgroup === undefined ? [] : pidsInCgroup(this.#cgroup);
    return [...new Set([...inCgroup, ...sessionProcesses([this.#sessionId], [...this.#children])])];
  }

  /** Kills all of them. @returns how many are left: 0, or something is wrong with this machine. */
  async end(clock: Clock): Promise<number> {
    return endAll(clock, () => this.pids(), this.#cgroup === undefined ? [] : [this.#cgroup]);
  }
}

/** Kills what sessions of an earlier life of this process have left behind. @returns how many there were, and are still. */
export async function endLeftovers(
  sessionIds: readonly string[],
  base: string | undefined,
  clock: Clock,
): Promise<{ killed: number; survivors: number }> {
  const cgroups = base === undefined ? [] : sessionIds.map((id) => join(base, cgroupName(id)));
  const pids = () => [...new Set([...cgroups.flatMap(pidsInCgroup), ...sessionProcesses(sessionIds)])];
  const killed = pids().length;
  return { killed, survivors: await endAll(clock, pids, cgroups) };
}

async function endAll(clock: Clock, pids: () => number[], cgroups: readonly string[]): Promise<number> {
  const until = clock.monotonicMs() + END_WITHIN_MS;
  for (;;) {
    for (const cgroup of cgroups) killCgroup(cgroup);
    const left = pids();
    for (const pid of left) kill(pid);
    const gone = cgroups.map(removeCgroup).every(Boolean);
    if (left.length === 0 && gone) return 0;
    if (clock.monotonicMs() >= until) return left.length;
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
