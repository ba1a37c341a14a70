import type { ProgramLimits } from '../manifest.ts';
import { limitFlags } from './program-limits.ts';

export interface Launch {
  file: string;
  args: readonly string[];
  /** System user to become; undefined stays this process's own. */
  user: string | undefined;
  limits: ProgramLimits;
  /** `cgroup.procs` of a group of its own; undefined without one. */
  groupFile: string | undefined;
}

/** In the environment of a program and of all that it starts: by it they are found again (proc_pid_environ(5)). */
export const MARK = 'BOWLINE_RUN';

/** Where the launcher waits for its `go`. */
export const GATE_FD = 3;

/**
 * The launcher: it waits until the run is on record, so a program that nobody would find again never begins, then becomes the
 * program. Node's own limits, which it hands on in NODE_OPTIONS, are not the program's.
 */
const LAUNCHER = `
IFS= read -r go <&${GATE_FD} && [ "$go" = go ] || exit 125
exec ${GATE_FD}<&-
unset NODE_OPTIONS
[ -z "$1" ] || echo $$ >"$1" || exit 125
user=$2
shift 2
if [ -n "$user" ]; then
  group=$(id -g -- "$user") && HOME=$(getent passwd "$user" | cut -d: -f6) || exit 125
  export HOME USER="$user" LOGNAME="$user"
  set -- setpriv --reuid="$user" --regid="$group" --init-groups -- "$@"
fi
exec "$@"
`;

/** Program and arguments of what is to be spawned. */
export function launchLine({ file, args, user, limits, groupFile }: Launch): [string, string[]] {
  const program = ['prlimit', ...limitFlags(limits), '--', file, ...args];
  return ['/bin/sh', ['-c', LAUNCHER, 'bowline-launch', groupFile ?? '', user ?? '', ...program]];
}
