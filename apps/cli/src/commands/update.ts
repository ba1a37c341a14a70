import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readFileIfPresent, writeFileDurably } from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';
import { paint, print, printJson, table } from '../adapters/terminal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { dayAndTime, duration, size } from '../core/format.ts';
import { progressBar } from '../core/progress-bar.ts';
import type { Context } from './context.ts';

const DEVICE_STATE_DIR = '/var/lib/bowline/ota-updater';

/** What the updater writes for people (apps/ota-updater, status-file.ts); only what is shown here. */
interface UpdateStatus {
  at: number;
  updates: {
    orderId: string;
    phase: string;
    at: number;
    why?: string;
    plan?: Plan;
    failure?: { code: string; message: string };
    order: { name?: string; version?: string };
  }[];
  installed: Record<string, { version: string; digest: string; kind: string; at: number }>;
  denied: Record<string, { name: string; version: string; code: string; message: string; at: number }>;
  progress: Record<
    string,
    { percent: number; bytesPerSecond?: number; remainingSeconds?: number; note?: string }
  >;
}
interface Plan {
  name: string;
  version: string;
  totalBytes: number;
  fetchBytes: number;
  reusedBytes: number;
}

const ENDED = ['committed', 'rolled-back', 'failed', 'cancelled', 'previewed'];
const SHOWN = 10;

/** `bowline update status`: what is installed, under way, refused from now on, and held. */
export function updateStatus(context: Context): void {
  const folder = stateDirOf(context);
  const status = readStatus(folder);
  const holds = holdsIn(join(folder, 'holds'));
  if (context.json) return printJson({ ...status, holds });
  const sections = [installedSection(status), updatesSection(status)];
  const denied = Object.entries(status.denied).map(([digest, { name, version, code, at }]) => [
    `${name} ${version}`,
    code,
    dayAndTime(at),
    digest.slice(0, 16),
  ]);
  if (denied.length > 0) sections.push(table(['failed here before', '', '', 'digest'], denied));
  const held = holds.map(({ owner, until, reason }) => [owner, dayAndTime(until), reason ?? '']);
  if (held.length > 0) sections.push(table(['held by', 'until', ''], held));
  print(sections.join('\n\n'));
}

/** Nothing is fetched or switched until then, or until it is let go. */
export function holdUpdates(
  context: Context,
  owner: string,
  { forMs, reason }: { forMs: number; reason?: string },
): void {
  const until = Date.now() + forMs;
  const hold = { until, ...(reason === undefined ? {} : { reason }) };
  write(join(stateDirOf(context), 'holds', `${owner}.json`), JSON.stringify(hold));
  if (context.json) printJson({ owner, ...hold });
  else print(`Updates are held by ${owner} until ${dayAndTime(until)}.`);
}

export function letUpdatesGo(context: Context, owner: string): void {
  const file = join(stateDirOf(context), 'holds', `${owner}.json`);
  const was = readFileIfPresent(file) !== undefined;
  rmSync(file, { force: true });
  if (context.json) printJson({ owner, was });
  else print(was ? `${owner} holds updates no more.` : `${owner} held nothing.`);
}

/** A release that failed here may be ordered again. @param start of its digest, as `update status` shows it. */
export function allowRelease(context: Context, start: string): void {
  const folder = stateDirOf(context);
  const digests = Object.keys(readStatus(folder).denied).filter((digest) => digest.startsWith(start));
  const [digest] = digests;
  if (digest === undefined || digests.length > 1)
    throw new CliError(
      'unknown-release',
      `${digests.length} releases that failed here begin with ${start}.`,
      {
        exitCode: EXIT.usage,
        advice: 'See: bowline update status',
      },
    );
  write(join(folder, 'allow', digest), '');
  if (context.json) printJson({ digest });
  else print(`${digest} may be ordered again.`);
}

function installedSection({ installed }: UpdateStatus): string {
  const rows = Object.entries(installed).map(([name, { version, kind, at, digest }]) => [
    name,
    version,
    kind,
    dayAndTime(at),
    digest.slice(0, 16),
  ]);
  return rows.length === 0
    ? 'No release is installed.'
    : table(['installed', 'version', 'kind', 'since', 'digest'], rows);
}

function updatesSection({ updates, progress }: UpdateStatus): string {
  if (updates.length === 0) return 'No updates yet.';
  const lines = updates.slice(-SHOWN).map(({ orderId, phase, at, why, plan, failure, order }) => {
    const { name, version } = plan ?? order;
    const what = `${dayAndTime(at)}  ${name ?? '?'} ${version ?? ''}  `;
    if (ENDED.includes(phase)) {
      const good = failure === undefined;
      return `${what}${paint(good ? 'green' : 'red', phase)}${good ? '' : `  ${failure.message} (${failure.code})`}`;
    }
    const now = progress[orderId];
    const sizes =
      plan === undefined ? '' : `  ${size(plan.fetchBytes)} to fetch, ${size(plan.reusedBytes)} here already`;
    const rate = now?.bytesPerSecond === undefined ? '' : `  ${size(now.bytesPerSecond)}/s`;
    const rest = now?.remainingSeconds === undefined ? '' : `, ${duration(now.remainingSeconds * 1000)} left`;
    const note = why ?? now?.note;
    const bar = `${progressBar(now?.percent ?? 0)}  ${paint('yellow', phase)}${rate}${rest}${sizes}`;
    return `${what}${bar}${note === undefined ? '' : `\n    ${note}`}`;
  });
  return lines.join('\n');
}

function stateDirOf({ installation }: Context): string {
  return installation().updaterStateDir ?? DEVICE_STATE_DIR;
}

function readStatus(folder: string): UpdateStatus {
  try {
    return JSON.parse(readFileSync(join(folder, 'status.json'), 'utf8')) as UpdateStatus;
  } catch (error) {
    throw away(folder, error);
  }
}

function holdsIn(folder: string): { owner: string; until: number; reason?: string }[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => {
        const hold = JSON.parse(readFileSync(join(folder, name), 'utf8')) as {
          until: number;
          reason?: string;
        };
        return { owner: name.slice(0, -'.json'.length), ...hold };
      })
      .filter(({ until }) => until > Date.now());
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function write(file: string, text: string): void {
  try {
    mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 });
    writeFileDurably(file, text);
  } catch (error) {
    throw away(file, error);
  }
}

const away = (path: string, cause: unknown) =>
  new CliError('updater-away', `${path} cannot be used.`, {
    exitCode: EXIT.deviceAway,
    advice: 'Run this as the user of the updater (root on a device), and see whether it runs: bowline status',
    cause,
  });
