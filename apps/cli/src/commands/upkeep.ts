import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createLogger } from '@bowline/runtime';
import { appsIn, pm2Of } from '../adapters/processes.ts';
import { looksStuck, stuckApps } from '../core/stuck.ts';

/** Longer than pm2's longest delay before a restart, 15 s. */
const SECOND_LOOK_MS = 16_000;
/** Where Debian has programs for administrators; a service's PATH may lack them. */
const ADMINISTRATORS = '/usr/sbin:/sbin';

export interface UpkeepOptions {
  pm2Home: string;
  /** Configuration of logrotate; without it somebody else rotates the logs. */
  rotate: string | undefined;
  secondLookMs?: number;
}

/** `bowline upkeep`, which pm2 runs every minute: starts what pm2 itself has lost for good, has the logs rotated. */
export async function upkeep({
  pm2Home,
  rotate,
  secondLookMs = SECOND_LOOK_MS,
}: UpkeepOptions): Promise<void> {
  const log = createLogger({ app: 'upkeep' });
  const pm2 = pm2Of({ pm2Home });
  if (rotate !== undefined) {
    const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:${ADMINISTRATORS}` };
    await promisify(execFile)('logrotate', ['--state', `${rotate}.state`, rotate], { env }).catch(
      (error: unknown) => log.error({ error }, 'the logs could not be rotated'),
    );
  }
  const first = await appsIn(pm2);
  if (!first.some(looksStuck)) return;
  await sleep(secondLookMs);
  for (const app of stuckApps(first, await appsIn(pm2))) {
    log.warn({ lost: app }, 'pm2 had lost the app: starting it again');
    await pm2
      .restart(app)
      .catch((error: unknown) => log.error({ error, lost: app }, 'it could not be started'));
  }
}
