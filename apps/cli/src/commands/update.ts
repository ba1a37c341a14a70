import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { UpdateStatus } from '@bowline/messages/update-status';
import {
  bootId,
  deadlineIn,
  overAt,
  readFileIfPresent,
  readJsonIfPresent,
  systemClock,
  type Deadline,
} from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';
import { paint, print, printJson, table } from '../adapters/terminal.ts';
import { readStatus, stateDirOf, writeForUpdater } from '../adapters/updater-state.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { dayAndTime } from '../core/format.ts';
import { isOver, updateLine } from '../core/update-line.ts';
import type { Context } from './context.ts';

interface Check {
  at: number;
  available: { name: string; version: string; channel: string; digest: string }[];
}

const SHOWN = 10;
const CANCEL_WITHIN_MS = 10_000;
const POLL_MS = 100;

/** `bowline update status`: what is installed, under way, refused from now on, and held. */
export function updateStatus(context: Context): void {
  const folder = stateDirOf(context);
  const status = readStatus(folder);
  const holds = holdsIn(join(folder, 'holds'));
  if (context.json)
    return printJson({ ...status, holds, check: readJsonIfPresent(join(folder, 'check.json')) ?? null });
  const sections = [installedSection(status), updatesSection(status), ...newsSection(folder)];
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
  const deadline = deadlineIn(forMs, systemClock, bootId());
  const { until } = deadline;
  const hold = { ...deadline, ...(reason === undefined ? {} : { reason }) };
  writeForUpdater(join(stateDirOf(context), 'holds', `${owner}.json`), JSON.stringify(hold));
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

function whichIsMeant(count: number, start: string): string {
  const which = start === '' ? '' : ` whose order begins with ${start}`;
  return count === 0
    ? `No update${which} is under way or waits.`
    : `${count} updates${which} are under way or wait.`;
}

/**
 * Calls an update off that has not switched yet. Returns the exit code.
 *
 * @param start of its order's id; empty: the one under way.
 */
export async function cancelUpdate(context: Context, start: string): Promise<number> {
  const folder = stateDirOf(context);
  const open = readStatus(folder).updates.filter(
    (update) => !isOver(update) && update.orderId.startsWith(start),
  );
  const [wanted] = open;
  if (wanted === undefined || (start !== '' && open.length > 1))
    throw new CliError('unknown-update', whichIsMeant(open.length, start), {
      exitCode: EXIT.usage,
      advice: 'See: bowline update status',
    });
  const { orderId } = wanted;
  const request = join(folder, 'cancel', orderId);
  writeForUpdater(request, '');
  const until = performance.now() + CANCEL_WITHIN_MS;
  for (;;) {
    const wasHeard = !existsSync(request);
    const now = readStatus(folder).updates.find((update) => update.orderId === orderId);
    if (now === undefined || isOver(now)) {
      if (context.json) printJson({ orderId, phase: now?.phase ?? 'cancelled' });
      else print(`The update is over: ${now?.phase ?? 'cancelled'}.`);
      return EXIT.ok;
    }
    if (performance.now() > until)
      throw new CliError('not-cancelled', `The update is not over; it is ${now.phase}.`, {
        exitCode: EXIT.orderUnfinished,
        advice: wasHeard
          ? 'After the switch it is too late: it is committed, or rolled back by itself. See: bowline update status'
          : 'The updater sees the wish once it runs: bowline status',
      });
    await sleep(POLL_MS, undefined, { signal: context.signal });
  }
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
  writeForUpdater(join(folder, 'allow', digest), '');
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
  const lines = updates.slice(-SHOWN).map((update) => {
    const { name, version } = update.plan ?? update.order;
    const what = `${dayAndTime(update.at)}  ${name ?? '?'} ${version ?? ''}`;
    const line = updateLine(update, progress[update.orderId]);
    if (!isOver(update)) return `${what}  ${line}`;
    return `${what}  ${paint(update.failure === undefined ? 'green' : 'red', line)}`;
  });
  return lines.join('\n');
}

/** What the scheduled look at the update server found (apps/ota-updater, ota-check.ts); nothing if there was none. */
function newsSection(folder: string): string[] {
  const check = readJsonIfPresent(join(folder, 'check.json')) as Check | undefined;
  if (check === undefined) return [];
  const { at, available } = check;
  if (available.length === 0) return [`Nothing newer was published as of ${dayAndTime(at)}.`];
  const rows = available.map(({ name, version, channel, digest }) => [
    name,
    version,
    channel,
    digest.slice(0, 16),
  ]);
  return [table([`published as of ${dayAndTime(at)}`, 'version', 'channel', 'digest'], rows)];
}

function holdsIn(folder: string): { owner: string; until: number; reason?: string }[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => {
        const hold = Object(JSON.parse(readFileSync(join(folder, name), 'utf8'))) as Deadline & {
          reason?: string;
        };
        const until = overAt(hold, systemClock, bootId());
        return { owner: name.slice(0, -'.json'.length), ...hold, until };
      })
      .filter(({ until }) => until > Date.now());
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
