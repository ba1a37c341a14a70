import { SESSION_VARIABLE } from './sshd-config.ts';

/**
 * A shell script with a session's id, the file that kills its group (or nothing) and seconds: when they are over, all that runs of
 * the session is killed, by group and by mark, though the broker may hang or be stopped (SIGSTOP). The broker's own end comes
 * first, and ends this, too: it bears the mark (ADR 0038).
 */
export const LAST_RESORT = `sleep "$3"
[ -z "$2" ] || echo 1 > "$2"
for file in /proc/[0-9]*/environ; do
  pid=\${file#/proc/}
  pid=\${pid%/environ}
  if [ "$pid" != $$ ] && grep -qszxF "${SESSION_VARIABLE}=$1" "$file"; then kill -9 "$pid"; fi
done`;

/** After the time of a session, for the broker to end it itself. */
export const LAST_RESORT_AFTER_MS = 2000;
