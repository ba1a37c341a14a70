import { SESSION_VARIABLE } from './sshd-config.ts';

/** The kernel's time since boot, in which the device's sleep counts. */
export const UPTIME_FILE = '/proc/uptime';

/**
 * A shell script with a session's id, the file that kills its group (or nothing), hundredths of a second and {@link UPTIME_FILE}:
 * when they are over, all that runs of the session is killed, by group and by mark (not by audit session), though the broker may hang or be stopped
 * (SIGSTOP). The broker's own end comes first, and ends this, too: it bears the mark (ADR 0038).
 *
 * `sleep` stands still while the device does, so it looks at the time every two seconds; where that cannot be read (ProcSubset=)
 * it counts its sleeps.
 */
export const LAST_RESORT = `now() { read -r up rest < "$1" && up=\${up%.*}\${up#*.}; } 2>/dev/null
left=$3
now "$4" && ends=$((up + left))
while [ "$left" -gt 0 ]; do
  nap=$((left < 200 ? left : 200))
  sleep "$((nap / 100)).$((nap / 10 % 10))$((nap % 10))"
  left=$((left - nap))
  [ -n "$ends" ] && now "$4" && left=$((ends - up))
done
[ -z "$2" ] || echo 1 > "$2"
for file in /proc/[0-9]*/environ; do
  pid=\${file#/proc/}
  pid=\${pid%/environ}
  if [ "$pid" != $$ ] && grep -qszxF "${SESSION_VARIABLE}=$1" "$file"; then kill -9 "$pid"; fi
done`;

/** After the time of a session, for the broker to end it itself. */
export const LAST_RESORT_AFTER_MS = 2000;
