import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { childEnvironment, type Logger } from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';
import { wait, type Clock } from '@bowline/runtime/clock';
import { SESSION_VARIABLE } from '../core/sshd-config.ts';
import { sessionProcesses } from './find-processes.ts';
import type { SessionGroup, SessionGroups } from './session-group.ts';

export interface Sshd extends ChildProcessByStdio<Writable, Readable, Readable> {
  /** Ends it, if it has not ended by itself. */
  stop(): void;
}

/** How long the end of all processes of a session is waited for; they have no say in it. */
const END_WITHIN_MS = 5000;
const LOOK_EVERY_MS = 20;
const MAX_LOG_LINE = 500;

/** The processes of one session, from the first sshd to the last that anybody started in it. */
export class SessionProcesses {
  readonly group: SessionGroup;
  readonly #sessionId: string;
  readonly #children = new Set<number>();
  readonly #log: Pick<Logger, 'debug'>;

  constructor(sessionId: string, groups: SessionGroups, log: Pick<Logger, 'debug'>) {
    this.#sessionId = sessionId;
    this.group = groups.make(sessionId);
    this.#log = log;
  }

  /** `sshd -i`: one connection, over pipes. @param stream its number in the session. */
  start(stream: number, sshdPath: string, configFile: string): Sshd {
    const { program, args } = this.group.command(stream, sshdPath, ['-i', '-e', '-f', configFile]);
    const env = { ...childEnvironment(), [SESSION_VARIABLE]: this.#sessionId };
    const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const { pid } = child;
    if (pid !== undefined) {
      this.#children.add(pid);
      child.once('exit', () => this.#children.delete(pid));
    }
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log.debug({ sessionId: this.#sessionId, sshd: text.trim().slice(0, MAX_LOG_LINE) }, 'sshd');
    });
    child.on('error', () => undefined); // `close` follows
    const stop = () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      this.group.stop(stream);
      child.kill('SIGKILL');
    };
    return Object.assign(child, { stop });
  }

  pids(): number[] {
    return [...new Set([...this.group.pids(), ...sessionProcesses([this.#sessionId], [...this.#children])])];
  }

  /** Kills all of them. @returns how many are left: 0, or something is wrong with this machine. */
  async end(clock: Clock): Promise<number> {
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
