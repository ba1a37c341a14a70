import type { ConfigView, HubRequests } from '@bowline/messages/hub';
import { suggest } from '@bowline/runtime/suggest';
import { askGateway } from '../adapters/gateway.ts';
import { paint, print, printJson, table } from '../adapters/terminal.ts';
import { explained, whyAway } from '../adapters/why-away.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { diffOf } from '../core/config-diff.ts';
import { dayAndTime, duration } from '../core/format.ts';
import { AFTER_TRIAL_MS, type TrialOptions } from './config-override.ts';
import type { Context } from './context.ts';

type DeviceConfig = HubRequests['config']['response'];

const addressOf = ({ version, installation }: Context) => ({ ...installation(), version });

/** `bowline config show [APP]`: every value in force and where it comes from; without `all` those that are no defaults. */
export async function showConfig(context: Context, app: string | undefined, all: boolean): Promise<void> {
  const config = await askGateway(addressOf(context), 'config', {}).catch(async (error: unknown) => {
    throw await explained(context.installation(), error);
  });
  const apps = app === undefined ? Object.keys(config.apps) : [knownApp(config, app)];
  if (context.json) {
    return printJson({ ...config, apps: Object.fromEntries(apps.map((each) => [each, config.apps[each]])) });
  }
  print(headOf(config));
  for (const each of apps) {
    const { view, away = '' } = config.apps[each] ?? {};
    const why = view === undefined ? ((await whyAway(context.installation(), each)) ?? away) : '';
    print(`\n${paint('bold', each)}${why === '' ? '' : paint('yellow', ` ${why}`)}`);
    if (view !== undefined) printView(view, all);
  }
}

function printView({ entries, problem, refused }: ConfigView, all: boolean): void {
  if (refused !== undefined)
    print(paint('red', `The local override is not in force as it is written: ${refused}`));
  if (problem !== undefined) print(paint('red', `What the cloud sent is set aside: ${problem}`));
  const shown = entries.filter(({ source }) => all || source !== 'default');
  const rows = shown.map(({ key, value, unit, source }) => [
    key,
    `${JSON.stringify(value)}${unit === undefined ? '' : ` ${unit}`}`,
    source === 'cloud' || source === 'local' ? paint('yellow', source) : source,
  ]);
  print(table(['key', 'value', 'from'], rows));
  const defaults = entries.length - shown.length;
  if (defaults > 0) print(`${defaults} more are defaults: --all shows them.`);
}

function headOf({ version, phase, candidate, previous, override, remainingMs, hash }: DeviceConfig): string {
  const tail = `, hash ${hash.slice(0, 12)}`;
  if (phase === 'settled') return `${documentOf(version)} in force${tail}`;
  const what = override === true ? 'the local override of ws-gateway' : documentOf(candidate);
  if (phase === 'returning') return `${paint('yellow', `${what} is taken back`)}${tail}`;
  const left = remainingMs === undefined ? '' : `, ${duration(remainingMs)} left`;
  const otherwise = override === true ? 'the one before' : documentOf(previous);
  return `${paint('yellow', `${what} is being tried${left}; if it does not stand, ${otherwise} is in force again`)}${tail}`;
}

const documentOf = (version = 0): string =>
  version === 0 ? 'no document of the cloud' : `document ${version}`;

function knownApp({ apps }: DeviceConfig, app: string): string {
  if (Object.hasOwn(apps, app)) return app;
  const meant = suggest(app, Object.keys(apps));
  throw new CliError('unknown-app', `There is no app "${app}".`, {
    exitCode: EXIT.usage,
    advice: meant === undefined ? `There are: ${Object.keys(apps).join(', ')}.` : `Did you mean ${meant}?`,
  });
}

/** `bowline config history`: the cloud's documents that are kept, and how each ended. */
export async function configHistory(context: Context): Promise<void> {
  const { documents, version } = await askGateway(addressOf(context), 'config', {});
  if (context.json) return printJson({ documents, ...(version === undefined ? {} : { version }) });
  if (documents.length === 0) return print('The cloud has sent no document yet.');
  const rows = documents.map(({ version: each, at, outcome, apps }) => [
    String(each),
    dayAndTime(at),
    outcome === 'rolledBack' ? paint('red', 'rolled back') : outcome,
    each === version ? paint('green', 'in force') : '',
    apps.join(', '),
  ]);
  print(table(['version', 'when', 'ended', '', 'for'], rows));
  for (const { version: each, why } of documents) if (why !== undefined) print(`${each} went back: ${why}`);
}

/** `bowline config diff A [B]`: two documents, key by key; without B against the one in force. */
export async function diffConfig(context: Context, from: number, to: number | undefined): Promise<void> {
  const address = addressOf(context);
  const other = to ?? (await askGateway(address, 'config', {})).version ?? 0;
  const [before, after] = await Promise.all(
    [from, other].map((version) => askGateway(address, 'configDocument', { version })),
  );
  const changes = diffOf(before?.sections ?? {}, after?.sections ?? {});
  if (context.json) return printJson({ from, to: other, changes });
  if (changes.length === 0) return print(`Documents ${from} and ${other} say the same.`);
  const text = (value: unknown) => (value === undefined ? '' : JSON.stringify(value));
  print(
    table(
      ['key', String(from), String(other)],
      changes.map(({ key, from: old, to: now }) => [key, text(old), text(now)]),
    ),
  );
}

/** `bowline config rollback VERSION`: that document is in force again. Returns the exit code. */
export async function rollbackConfig(
  context: Context,
  version: number,
  { confirmWithin: confirmWithinMs, untried }: TrialOptions,
): Promise<number> {
  const end = await askGateway(
    addressOf(context),
    'rollbackConfig',
    { version, confirmWithinMs, untried },
    { answerWithinMs: confirmWithinMs + AFTER_TRIAL_MS },
  );
  const isGood = end.status === 'applied' || end.status === 'unchanged';
  const wasTried = end.tried === true ? ' Tried: a new link stands under it.' : '';
  if (context.json) printJson(end);
  else if (isGood)
    print(`${version === 0 ? 'No document is in force.' : `Document ${version} is in force.`}${wasTried}`);
  else {
    print(paint('red', `Document ${version} is not in force (${end.status}):`));
    for (const { app, key, message } of end.errors) print(`  ${app}: ${key} ${message}`);
  }
  return isGood ? EXIT.ok : EXIT.orderFailed;
}
