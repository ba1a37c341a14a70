import { join } from 'node:path';
import {
  cgroupKill,
  cgroupProcs,
  killCgroup,
  makeCgroup,
  pidsInCgroup,
  removeCgroup,
} from '@bowline/runtime';

/** What holds the processes of one session, so that all of them are found, and end at once. */
export interface SessionGroup {
  /** Whether it holds whatever is started in it, do what it may. */
  readonly holds: boolean;
  /** A systemd unit's name, where it is one. */
  readonly unit: string | undefined;
  /**
   * How a program is started in it. Where it is a child of ours, it first gets an audit session of its own and tells of it (fd 3).
   *
   * @param stream its number in the session, from 1; @param loginUid who logs in.
   */
  command(
    stream: number,
    program: string,
    args: readonly string[],
    loginUid: number,
  ): { program: string; args: string[] };
  /** Asks one program that was started in it to end. @returns false where its own process must be asked. */
  stop(stream: number): boolean;
  /** Whoever writes 1 into it ends them all; empty where there is none. */
  readonly killFile: string;
  pids(): number[];
  kill(): void;
  /** Once no process is in it. @returns whether it is gone. */
  remove(): Promise<boolean>;
}

/** Where sessions run on this machine. The same session has the same group in each life of this process. */
export interface SessionGroups {
  make(sessionId: string): SessionGroup;
  /** Of a session that an earlier life may have opened; nothing is made. */
  find(sessionId: string): SessionGroup;
}

/**
 * An audit session (/proc/PID/sessionid): all that descends from it is in it, whatever it does to its environment, and nobody but
 * root gets out. Where that cannot be had (a kernel without, or the broker was started from a login) it stays the broker's own.
 */
const AUDIT_SESSION =
  '{ echo "$2" > /proc/self/loginuid; read -r id < /proc/self/sessionid; echo "$id" >&3; exec 3>&-; } 2>/dev/null';
/** Puts itself into the cgroup, then becomes the program; NODE_OPTIONS is what Node's permission model adds. */
const BECOME = 'shift 2 && unset NODE_OPTIONS && exec "$@"';
const INTO_CGROUP = `echo $$ > "$1" && ${BECOME}`;

/** @param base where control groups (version 2) may be made; without one a session is found by other marks alone. */
export function cgroupGroups(base: string | undefined): SessionGroups {
  const name = (sessionId: string) => `bowline-ssh-${sessionId}`;
  return {
    make: (sessionId) => cgroupGroup(base === undefined ? undefined : makeCgroup(base, name(sessionId))),
    find: (sessionId) => cgroupGroup(base === undefined ? undefined : join(base, name(sessionId))),
  };
}

function cgroupGroup(folder: string | undefined): SessionGroup {
  const file = folder === undefined ? '' : cgroupProcs(folder);
  return {
    holds: folder !== undefined,
    unit: undefined,
    command: (_stream, program, args, loginUid) => ({
      program: '/bin/sh',
      args: [
        '-c',
        `${AUDIT_SESSION}; ${folder === undefined ? BECOME : INTO_CGROUP}`,
        'sh',
        file,
        String(loginUid),
        program,
        ...args,
      ],
    }),
    stop: () => false,
    killFile: folder === undefined ? '' : cgroupKill(folder),
    pids: () => (folder === undefined ? [] : pidsInCgroup(folder)),
    kill: () => folder !== undefined && killCgroup(folder),
    remove: () => Promise.resolve(folder === undefined || removeCgroup(folder)),
  };
}
