import { setTimeout as sleep } from 'node:timers/promises';
import { mayRestart } from '@bowline/ipc';
import { RejectedError } from '@bowline/runtime/errors';
import { askGateway } from '../adapters/gateway.ts';
import { appsIn, knownApp, mustRun, pm2Of } from '../adapters/processes.ts';
import { print, printJson } from '../adapters/terminal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { duration } from '../core/format.ts';
import { restartVerdict } from '../core/restarted.ts';
import type { Context } from './context.ts';

const SETTLE_MS = 5000;
const POLL_MS = 200;
const ASK_WITHIN_MS = 1000;

/** `bowline restart APP`: ends and starts that app alone, and returns when it has said that it is ready. */
export async function restart(context: Context, app: string): Promise<void> {
  const { json, installation } = context;
  const pm2 = pm2Of(installation());
  await mustRun(pm2);
  const before = knownApp(await appsIn(pm2), app);
  await mustNotBeOnTrial(context, app);
  const startedAt = performance.now();
  await pm2.restart(app);
  const answeredAt = Date.now();

  const deadline = performance.now() + SETTLE_MS;
  let after = knownApp(await appsIn(pm2), app);
  while (!(after.status === 'online' && after.alive) && performance.now() < deadline) {
    await sleep(POLL_MS);
    after = knownApp(await appsIn(pm2), app);
  }
  const tookMs = Math.round(performance.now() - startedAt);
  const verdict = restartVerdict(before, after, answeredAt);
  if (verdict !== 'ready') {
    const what = verdict === 'crashed' ? 'ends again and again' : 'runs, but did not say that it is ready';
    throw new CliError('not-ready', `${app} ${what}.`, {
      exitCode: EXIT.notReady,
      advice: `See why: bowline logs ${app}`,
    });
  }
  if (json) printJson({ app, pid: after.pid, previousPid: before.pid, tookMs });
  else
    print(
      `${app} is ready again: pid ${after.pid} (was ${before.pid || 'not running'}), ${duration(tookMs)}.`,
    );
}

/** @throws CliError `update-busy`. A gateway that does not answer may be the one that is to be restarted. */
async function mustNotBeOnTrial({ installation, version }: Context, app: string): Promise<void> {
  const address = { ...installation(), version };
  const within = { answerWithinMs: ASK_WITHIN_MS };
  const status = await askGateway(address, 'status', {}, within).catch(() => undefined);
  try {
    mayRestart(status?.trial, app);
  } catch (error) {
    if (!(error instanceof RejectedError)) throw error;
    throw new CliError(error.code, `${app} is not restarted: ${error.message}.`, {
      exitCode: EXIT.usage,
      advice: '',
    });
  }
}
