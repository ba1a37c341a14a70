import type { DeviceStatus } from '@bowline/messages/hub';
import type { Pm2Process } from '@bowline/pm2';
import { askGateway } from '../adapters/gateway.ts';
import { appsIn, nothingRuns, pm2Of } from '../adapters/processes.ts';
import { paint, print, printJson, reportError, table } from '../adapters/terminal.ts';
import { CliError } from '../core/cli-error.ts';
import { duration, size, timeOfDay } from '../core/format.ts';
import type { Context } from './context.ts';

/** `bowline status`: the device's own view; where the gateway is away, at least pm2's. Returns the exit code. */
export async function status({ json, version, installation }: Context): Promise<number> {
  const where = installation();
  const pm2 = pm2Of(where);
  const running = await pm2.isRunning();
  const [device, processes] = await Promise.all([
    askGateway({ ...where, version }, 'status', {}).catch(asCliError),
    running ? appsIn(pm2) : [],
  ]);
  const away = device instanceof CliError ? (running ? device : nothingRuns(pm2)) : undefined;
  if (json) {
    const error = away && { code: away.code, message: away.message, advice: away.advice };
    printJson({ ...(device instanceof CliError ? { error } : device), processes });
    return away?.exitCode ?? 0;
  }
  const sections =
    device instanceof CliError
      ? [processesSection(processes, undefined)]
      : [
          head(device),
          queueSection(device),
          processesSection(processes, device),
          ...jobsSection(device),
          ...notesSection(device),
          ordersSection(device),
        ];
  print(sections.join('\n\n'));
  if (away === undefined) return 0;
  print('');
  return reportError(away, false);
}

function asCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  throw error;
}

function head({ device, link }: DeviceStatus): string {
  const now = Date.now();
  const online = link.state === 'online';
  const lines = [
    `device  ${paint('bold', device.id ?? 'not enrolled')}  ${device.agentVersion}  up ${duration(device.uptimeSeconds * 1000)}`,
    `link    ${paint(online ? 'green' : 'red', link.state)} for ${duration(now - link.since)}${link.server === undefined ? '' : `  ${link.server}`}`,
  ];
  if (device.trustedBy === 'first-use')
    lines.push(paint('yellow', '        its server was trusted on first use: see bowline identity'));
  if (link.server?.startsWith('ws:') === true)
    lines.push(paint('yellow', '        not encrypted (link.allowInsecure)'));
  if (link.roundTripMs !== undefined) lines.push(`        round trip ${Math.round(link.roundTripMs)} ms`);
  if (!online) {
    const next = link.nextAttemptInMs === undefined ? '' : `, next in ${duration(link.nextAttemptInMs)}`;
    lines.push(`        ${link.attempts} attempts${next}`);
    if (link.lastError !== undefined) {
      lines.push(
        `        ${timeOfDay(link.lastError.at)} ${link.lastError.message} (${link.lastError.code})`,
      );
    }
  }
  return lines.join('\n');
}

function queueSection({ queue }: DeviceStatus): string {
  const now = Date.now();
  const rows = Object.entries(queue.lanes).map(([lane, { messages, bytes, oldestAt, ledger }]) => [
    lane,
    String(messages),
    size(bytes),
    oldestAt === undefined ? '' : duration(now - oldestAt),
    ...[ledger.accepted, ledger.receipted, ledger.expired, ledger.dropped, ledger.rejected].map(String),
  ]);
  const titles = [
    'queue',
    'waiting',
    'size',
    'oldest',
    'accepted',
    'receipted',
    'expired',
    'dropped',
    'rejected',
  ];
  const dead = queue.deadLetters === 0 ? '' : `\n${paint('yellow', `${queue.deadLetters} dead letters`)}`;
  return table(titles, rows) + dead;
}

function processesSection(
  processes: readonly (Pm2Process & { alive: boolean })[],
  device: DeviceStatus | undefined,
): string {
  if (processes.length === 0) return paint('yellow', 'pm2 runs nothing here.');
  const now = Date.now();
  const rows = processes.map(({ name, status, pid, restarts, startedAt, memoryBytes, alive }) => [
    name,
    paint(status === 'online' && alive ? 'green' : 'red', alive || status !== 'online' ? status : 'lost'),
    alive ? String(pid) : '',
    alive ? duration(now - startedAt) : '',
    String(restarts),
    alive ? size(memoryBytes) : '',
    device?.apps[name]?.state ?? '',
  ]);
  return table(['app', 'pm2', 'pid', 'up', 'restarts', 'memory', 'hub'], rows);
}

function jobsSection({ apps }: DeviceStatus): string[] {
  const now = Date.now();
  const rows = Object.values(apps).flatMap(({ jobs = [] }) =>
    jobs.map(({ name, schedule, state, startedAt, succeededAt, nextAt, failures, lastError }) => [
      name,
      schedule,
      paint(state === 'running' ? 'yellow' : lastError === undefined ? 'green' : 'red', state),
      startedAt === undefined ? 'never' : `${duration(now - startedAt)} ago`,
      succeededAt === undefined ? 'never' : `${duration(now - succeededAt)} ago`,
      nextAt === undefined ? '' : nextAt <= now ? 'now' : `in ${duration(nextAt - now)}`,
      String(failures),
      lastError ?? '',
    ]),
  );
  const titles = ['jobs', 'schedule', 'state', 'last run', 'last success', 'next', 'failures', ''];
  return rows.length === 0 ? [] : [table(titles, rows)];
}

/** What was taken, but perhaps not as it was meant. */
function notesSection({ apps }: DeviceStatus): string[] {
  const rows = Object.entries(apps).flatMap(([app, { notes = [] }]) =>
    notes.map(({ code, count, detail }) => [app, paint('yellow', code), String(count), detail]),
  );
  return rows.length === 0 ? [] : [table(['notes', '', 'times', 'last'], rows)];
}

function ordersSection({ orders }: DeviceStatus): string {
  if (orders.length === 0) return 'No orders yet.';
  const rows = orders
    .slice(0, 10)
    .map(({ orderId, type, name, status, attempt, receivedAt, endedAt, error }) => [
      timeOfDay(receivedAt),
      name === undefined ? type : `${type} ${name}`,
      paint(status === 'succeeded' ? 'green' : endedAt === undefined ? 'yellow' : 'red', status),
      endedAt === undefined ? '' : duration(endedAt - receivedAt),
      attempt > 1 ? `attempt ${attempt}` : '',
      orderId,
      error?.message ?? '',
    ]);
  return table(['last orders', '', 'state', 'took', '', '', ''], rows);
}
