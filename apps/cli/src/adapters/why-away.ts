import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Installation } from '@bowline/pm2';
import { CliError } from '../core/cli-error.ts';
import { misconfiguredSince } from '../core/misconfigured.ts';
import { appsIn, pm2Of } from './processes.ts';

/** The end of a log, in which the last word of an app that waits for its configuration stands. */
const LOG_BYTES = 64 * 1024;

/**
 * Why an app does not answer, as far as pm2 and its log know: one that cannot use its configuration runs, and waits for its
 * files to change. Undefined: they do not know.
 */
export async function whyAway(installation: Installation, app: string): Promise<string | undefined> {
  const pm2 = pm2Of(installation);
  if (!(await pm2.isRunning())) return undefined;
  const found = (await appsIn(pm2)).find(({ name }) => name === app);
  if (found === undefined || !found.alive) return undefined;
  const why = misconfiguredSince(endOf(found.outFile), found.startedAt);
  return why === undefined ? undefined : `runs, but cannot use its configuration: ${why}`;
}

/** What to say if a question ended with this: a gateway that does not answer may be waiting for its own configuration. */
export async function explained(installation: Installation, error: unknown): Promise<unknown> {
  if (!(error instanceof CliError) || error.code !== 'gateway-away') return error;
  const why = await whyAway(installation, 'ws-gateway');
  if (why === undefined) return error;
  const advice = 'Mend that file; the gateway looks at it every second.';
  return new CliError('gateway-away', `ws-gateway ${why}.`, {
    exitCode: error.exitCode,
    advice,
    cause: error,
  });
}

function endOf(file: string): string {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch {
    return ''; // another's, or not there yet
  }
  try {
    const { size } = fstatSync(handle);
    const bytes = Buffer.alloc(Math.min(size, LOG_BYTES));
    return bytes.subarray(0, readSync(handle, bytes, 0, bytes.length, size - bytes.length)).toString();
  } finally {
    closeSync(handle);
  }
}
