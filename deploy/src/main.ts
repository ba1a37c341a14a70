/**
 * The launcher: runs as root before the apps and raises a system clock that has fallen behind, so that TLS can succeed on a
 * device without a battery (README.md). Whatever goes wrong is said in one line of JSON; the apps start all the same.
 *
 *   launcher [--trusted-time FILE] [--set PROGRAM]
 */
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { childEnvironment, createLogger } from '@bowline/runtime';
import { clockToSet } from './clock-to-set.ts';
import { readTrustedTime } from './read-trusted-time.ts';

const { values } = parseArgs({
  options: {
    'trusted-time': { type: 'string', default: '/var/lib/bowline/ws-gateway/trusted-time.json' },
    set: { type: 'string', default: '/bin/date' },
  },
});
const log = createLogger({ app: 'launcher' });
try {
  // As systemd takes its own epoch from the age of a file: whoever installs a build keeps it.
  const buildMs = statSync(import.meta.filename).mtimeMs;
  const nowMs = Date.now();
  const trustedMs = readTrustedTime(values['trusted-time']);
  const targetMs = clockToSet({ nowMs, buildMs, trustedMs });
  const times = { now: isoTime(nowMs), build: isoTime(buildMs), trusted: trustedMs && isoTime(trustedMs) };
  if (targetMs === undefined) log.info(times, 'the clock is not behind what is known: left alone');
  else {
    execFileSync(values.set, ['--utc', `--set=${isoTime(targetMs)}`], {
      env: childEnvironment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    log.warn({ ...times, set: isoTime(targetMs) }, 'the clock was behind what is known: raised');
  }
} catch (error) {
  log.error({ error }, 'the clock could not be looked after: if it is behind, TLS will fail until it is set');
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
