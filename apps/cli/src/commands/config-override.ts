import type { HubRequests } from '@bowline/messages/hub';
import { CONFIGURED_APPS, type ConfiguredApp } from '@bowline/messages/hub/apps';
import { hashOf } from '@bowline/runtime';
import { suggest } from '@bowline/runtime/suggest';
import type { Tree } from '@bowline/runtime/tree';
import { setTimeout as sleep } from 'node:timers/promises';
import { askGateway } from '../adapters/gateway.ts';
import { OverrideFile } from '../adapters/override-file.ts';
import { paint, print, printJson } from '../adapters/terminal.ts';
import { readGiven } from '../adapters/text-input.ts';
import { explained } from '../adapters/why-away.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { duration } from '../core/format.ts';
import { lacksAny, withoutKeys, withValues } from '../core/override-change.ts';
import type { Context } from './context.ts';

export interface TrialOptions {
  confirmWithin: number;
  untried: boolean;
}

type End = Pick<HubRequests['takeOverride']['response'], 'status' | 'errors' | 'restarts' | 'tried'>;

/** Beyond the trial itself: what the apps may take, and the way back. */
export const AFTER_TRIAL_MS = 90_000;
const POLL_MS = 500;

/** `bowline config set APP KEY=VALUE…` Returns the exit code. */
export async function setConfig(
  context: Context,
  app: string,
  texts: string[],
  options: TrialOptions,
): Promise<number> {
  const values: string[] = [];
  for (const text of texts) values.push(await written(text));
  return changeOverride(context, app, (override) => withValues(override, values), options);
}

/** `KEY=@FILE` as `KEY=VALUE` with what the file holds. */
async function written(text: string): Promise<string> {
  const [, key, value] = /^([^=]+=)(.+)$/s.exec(text) ?? [];
  return key === undefined || value === undefined ? text : `${key}${await readGiven(value)}`;
}

/** `bowline config unset APP KEY…` Returns the exit code. */
export const unsetConfig = (context: Context, app: string, keys: string[], options: TrialOptions) =>
  changeOverride(
    context,
    app,
    // Whoever wrote a file that does not count was cut off: this goes on from it.
    async (override) =>
      withoutKeys(override, keys, lacksAny(override, keys) && (await isRefused(context, app))),
    options,
  );

async function isRefused(context: Context, app: string): Promise<boolean> {
  const config = await askIfThere({ ...context.installation(), version: context.version });
  return config?.apps[app]?.view?.refused !== undefined;
}

/**
 * Changes the local override of an app: the app judges it, then it is written, then the app takes it. What carries the link
 * is tried out by the gateway (docs/configuration.md), and written back if it did not stand.
 */
async function changeOverride(
  context: Context,
  name: string,
  change: (override: Tree) => Tree | Promise<Tree>,
  options: TrialOptions,
): Promise<number> {
  const app = configuredApp(name);
  const file = new OverrideFile(app, context.installation());
  const lock = file.lock();
  try {
    return await changeFile(context, { app, file }, change, options);
  } finally {
    lock.release();
  }
}

async function changeFile(
  context: Context,
  { app, file }: { app: ConfiguredApp; file: OverrideFile },
  change: (override: Tree) => Tree | Promise<Tree>,
  options: TrialOptions,
): Promise<number> {
  const address = { ...context.installation(), version: context.version };
  const before = file.text();
  const override = await change(file.read());
  const text = textOf(override);
  const { confirmWithin: confirmWithinMs, untried } = options;

  const check = await askGateway(address, 'checkOverride', { app, override, prepare: !untried }).catch(
    (error: unknown) => whileAway(error, { context, app, untried }),
  );
  if (check === 'away') {
    file.write(text);
    return tellWritten(context, app, `${app} cannot be asked: ${file.path} is written unchecked`);
  }
  if (check.faults.length > 0) {
    const faults = check.faults.map(({ key, message }) => (key === '' ? message : `"${key}" ${message}`));
    throw new CliError('config-refused', `${app} does not take it: ${faults.join('; ')}.`, {
      exitCode: EXIT.usage,
      advice: 'Nothing has changed. All keys: bowline config show --all',
    });
  }
  if (check.link.length > 0 && !untried && !context.json)
    print(`Tried out now: a new link has ${duration(confirmWithinMs)} to stand …`);
  if (app === 'ssh-broker' && check.restart.length > 0 && !context.json)
    print(paint('yellow', 'ssh-broker starts anew for it, which ends every open ssh session.'));
  file.write(text);
  const request = { app, hash: hashOf(override), confirmWithinMs, untried };
  const take = (): Promise<End> =>
    askGateway(address, 'takeOverride', request, { answerWithinMs: confirmWithinMs + AFTER_TRIAL_MS });
  const takeBack = () => {
    // Words that were refused are not written again: nothing but a note of the gateway's keeps them from counting.
    const good = check.inForce === undefined ? before : textOf(check.inForce);
    if (file.text() === text) file.write(good); // else it is somebody else's, by hand
  };
  const tried = check.link.length > 0 && !untried;
  let end: End;
  try {
    end = await take().catch((error: unknown) =>
      endOfTrial(error, { context, app, tried, take, withinMs: confirmWithinMs + AFTER_TRIAL_MS }),
    );
  } catch (error) {
    if (error instanceof CliError && error.code === 'app-away')
      return tellWritten(context, app, `${app} has gone meanwhile: ${file.path} is written`);
    if (!mayBeTaken(error)) takeBack();
    throw error;
  }
  const isKept = end.status === 'applied' || end.status === 'unchanged';
  if (!isKept) takeBack();
  if (context.json) printJson({ app, keys: check.keys, ...end });
  else tell(app, file, end, confirmWithinMs);
  return isKept ? EXIT.ok : EXIT.orderFailed;
}

const textOf = (override: Tree) => `${JSON.stringify(override, undefined, 2)}\n`;

function tellWritten({ json }: Context, app: ConfiguredApp, what: string): number {
  if (json) printJson({ app, status: 'written' });
  else print(paint('yellow', `${what}, and counts when it runs.`));
  return EXIT.ok;
}

function tell(app: string, { path }: OverrideFile, end: End, confirmWithinMs: number): void {
  const { status, errors, tried = false, restarts } = end;
  if (status === 'unchanged')
    return print(
      `${path} is written; nothing changes: it was so before, or a flag or variable of the environment says otherwise (bowline config show ${app}).`,
    );
  if (status === 'applied') {
    const proven = tried ? 'Tried: a new link stands under it. ' : '';
    const news = restarts ? `${app} starts anew for it.` : 'It is in force.';
    return print(`${paint('green', 'Set.')} ${proven}${news}`);
  }
  const why = errors.map(({ key, message }) => (key === '' ? message : `"${key}" ${message}`)).join('; ');
  print(
    status === 'rolledBack'
      ? paint(
          'red',
          `Tried: the server did not answer within ${duration(confirmWithinMs)}. What was before is in force again.`,
        )
      : paint('red', 'It is not in force: nothing has changed.'),
  );
  if (why !== '') print(`  ${why}`);
}

function configuredApp(name: string): ConfiguredApp {
  const app = CONFIGURED_APPS.find((each) => each === name);
  if (app !== undefined) return app;
  const meant = suggest(name, CONFIGURED_APPS);
  throw new CliError('unknown-app', `There is no app "${name}" with a configuration.`, {
    exitCode: EXIT.usage,
    advice: meant === undefined ? `There are: ${CONFIGURED_APPS.join(', ')}.` : `Did you mean ${meant}?`,
  });
}

/**
 * An override may be what keeps the app from running. But one of the gateway's may carry the link, and nobody else can try
 * that out.
 */
async function whileAway(
  error: unknown,
  { context, app, untried }: { context: Context; app: ConfiguredApp; untried: boolean },
): Promise<'away'> {
  if (!(error instanceof CliError) || !['gateway-away', 'app-away'].includes(error.code)) throw error;
  if (app !== 'ws-gateway' || untried) return 'away';
  const known = await explained(context.installation(), error);
  const { code, message, exitCode, advice } = known instanceof CliError ? known : error;
  throw new CliError(code, `${message} Nothing has changed: nobody can judge it and try it out.`, {
    exitCode,
    advice: `${advice} To write it all the same, to count when the gateway runs: --untried.`,
    cause: error,
  });
}

const askIfThere = (address: Parameters<typeof askGateway>[0]) =>
  askGateway(address, 'config', {}).catch(() => undefined);

/**
 * The gateway was busy with another change, which is waited for; or it started anew meanwhile, or was killed: it goes on by
 * itself, is busy with that if it is asked again, and says afterwards how it ended.
 */
async function endOfTrial(
  error: unknown,
  {
    context,
    app,
    tried,
    take,
    withinMs,
  }: { context: Context; app: ConfiguredApp; tried: boolean; take(): Promise<End>; withinMs: number },
): Promise<End> {
  if (!mayBeTaken(error)) throw error;
  const address = { ...context.installation(), version: context.version };
  const deadline = performance.now() + withinMs;
  // What was only prepared is `refused` as well: that says nothing of a trial before there was one.
  let wasTaken = error.code === 'gateway-away';
  while (performance.now() < deadline && !context.signal.aborted) {
    const config = await askIfThere(address);
    wasTaken ||= config?.override === true;
    if (config?.phase === 'settled' && config.apps['ws-gateway']?.view !== undefined) {
      const refused = config.apps[app]?.view?.refused;
      if (wasTaken && refused !== undefined) return endedAs('rolledBack', refused);
      try {
        // Kept already, or somebody else's change was in the way of it.
        const end = await take();
        return end.status === 'unchanged' ? { ...end, status: 'applied', tried } : end;
      } catch (again) {
        if (!mayBeTaken(again)) throw again;
        wasTaken ||= again.code === 'gateway-away';
      }
    }
    await sleep(POLL_MS);
  }
  if (wasTaken) throw error;
  return endedAs('rejected', 'it was not tried: another change was under way all the time');
}

const mayBeTaken = (error: unknown): error is CliError =>
  error instanceof CliError && ['gateway-away', 'config-busy'].includes(error.code);

const endedAs = (status: End['status'], message: string): End => ({
  status,
  errors: [{ app: 'ws-gateway', key: '', message }],
  restarts: false,
});
