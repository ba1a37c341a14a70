import {
  callerEnvironment,
  DEVICE_APPS,
  isAlive,
  Pm2,
  type Installation,
  type Pm2Process,
} from '@bowline/pm2';
import { CliError, EXIT } from '../core/cli-error.ts';
import { suggest } from '@bowline/runtime/suggest';

export const pm2Of = ({ pm2Home }: Pick<Installation, 'pm2Home'>): Pm2 =>
  new Pm2({ home: pm2Home, env: callerEnvironment(process.env, {}) });

/** The apps in pm2, without what looks after them. `alive` is what the kernel says, `status` what pm2 believes. */
export async function appsIn(pm2: Pm2): Promise<(Pm2Process & { alive: boolean })[]> {
  const processes = await pm2.list();
  return processes
    .filter(({ namespace }) => namespace !== 'upkeep')
    .map((entry) => ({ ...entry, alive: isAlive(entry.pid) }));
}

export const nothingRuns = (pm2: Pm2): CliError =>
  new CliError('pm2-away', `pm2's daemon in ${pm2.home} does not run, so no app does.`, {
    exitCode: EXIT.deviceAway,
    advice: 'Start the demo (npm start) or the service of the device.',
  });

/** @throws CliError `pm2-away` */
export async function mustRun(pm2: Pm2): Promise<void> {
  if (!(await pm2.isRunning())) throw nothingRuns(pm2);
}

/** @throws CliError `unknown-app` with the name that was likely meant. */
export function knownApp<T extends { name: string }>(apps: readonly T[], typed: string): T {
  const found = apps.find(({ name }) => name === typed);
  if (found !== undefined) return found;
  const names = apps.length > 0 ? apps.map(({ name }) => name) : [...DEVICE_APPS];
  const meant = suggest(typed, names);
  throw new CliError('unknown-app', `There is no app "${typed}".`, {
    exitCode: EXIT.usage,
    advice: `${meant === undefined ? '' : `Did you mean ${meant}? `}Known: ${names.join(', ')}.`,
  });
}
