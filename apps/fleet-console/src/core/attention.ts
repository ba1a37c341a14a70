/** What an operator must know at once, in words: which device is dark, since when, and what is stuck. */
import type { Device, Order } from '@bowline/messages';
import { count, formatBytes, formatDuration } from './format.ts';
import { isTerminal } from '@bowline/messages/names';
import { isWithdrawn, lastChangeOf, orderName } from './orders.ts';

/** A connected device takes an order within a round trip; after this long something holds it up, milliseconds. */
export const ORDER_TAKEN_WITHIN_MS = 30_000;
/** An order without a time limit of its own that runs longer than this is shown, milliseconds. */
export const CONFIG_ARRIVES_WITHIN_MS = 10 * 60_000;
const ORDER_RUNS_WITHIN_MS = 10 * 60_000;
/** What a connected device has queued leaves within seconds; older than this, the queue is not moving, milliseconds. */
export const QUEUE_LEAVES_WITHIN_MS = 2 * 60_000;
/** A heartbeat comes every 30 s; three missing while the link is said to be up are worth a word, milliseconds. */
export const SEEN_WITHIN_MS = 100_000;

/** The server keeps alarms and nobody can take one back; older than this, one no longer asks for a person, milliseconds. */
export const ALARM_FRESH_MS = 24 * 3_600_000;

/** States of an app in which it does its work; any other word is shown as a problem. */
const WORKING = ['ready', 'online', 'running', 'ok', 'healthy', 'registered'];
export const isWorking = (state: string): boolean => WORKING.includes(state.split(/[\s:,(]/, 1)[0] ?? '');

export interface Concern {
  /** Stable while the same thing is wrong, so that it can key a list. */
  id: string;
  /** `dark`: no contact. `stuck`: something does not move. `note`: worth knowing, nothing to do at once. */
  kind: 'dark' | 'stuck' | 'note';
  text: string;
  /** Since when, epoch milliseconds. */
  since?: number;
  orderId?: string;
}

/** Everything about a device that needs a person, the worst first. */
export function concernsOf(device: Device, orders: readonly Order[], now: number): Concern[] {
  const waiting = orders.filter(
    (order) => order.deviceId === device.deviceId && !isTerminal(order.status) && !isWithdrawn(order),
  );
  const concerns = [
    ...linkConcerns(device, now),
    ...alarmConcerns(device, now),
    ...waiting.flatMap((order) => orderConcern(order, device.online, now) ?? []),
    ...appConcerns(device),
    ...queueConcerns(device, now),
    ...configConcerns(device, now),
    ...ledgerConcerns(device),
  ];
  const rank = { dark: 0, stuck: 1, note: 2 } as const;
  return concerns.toSorted((a, b) => rank[a.kind] - rank[b.kind]);
}

function linkConcerns({ online, since, lastSeenAt }: Device, now: number): Concern[] {
  if (!online) {
    const dark = since ?? lastSeenAt;
    if (dark === undefined) return [{ id: 'link', kind: 'dark', text: 'Enrolled, but has never connected' }];
    return [{ id: 'link', kind: 'dark', text: `No contact for ${formatDuration(now - dark)}`, since: dark }];
  }
  if (lastSeenAt !== undefined && now - lastSeenAt > SEEN_WITHIN_MS) {
    const silent = formatDuration(now - lastSeenAt);
    return [{ id: 'link', kind: 'stuck', text: `Connected, but silent for ${silent}`, since: lastSeenAt }];
  }
  return [];
}

const alarmConcerns = ({ alarms }: Device, now: number): Concern[] =>
  alarms.map(({ kind, at, message }) => ({
    id: `alarm:${kind}:${at}`,
    kind: now - at > ALARM_FRESH_MS ? 'note' : 'stuck',
    text: `Alarm ${kind}${message === undefined ? '' : `: ${message}`}`,
    since: at,
  }));

function orderConcern(order: Order, online: boolean, now: number): Concern | undefined {
  const since = lastChangeOf(order);
  const name = orderName(order);
  const waited = formatDuration(now - since);
  const concern = (kind: Concern['kind'], text: string): Concern => ({
    id: `order:${order.orderId}`,
    kind,
    text,
    since,
    orderId: order.orderId,
  });
  if (order.expiresAt !== undefined && order.expiresAt < now && order.status !== 'started') {
    return concern('stuck', `Order ${name} has passed its expiry, and the device has not said so yet`);
  }
  if (!online && (order.status === 'received' || order.status === 'started' || order.status === 'progress')) {
    return concern(
      'stuck',
      `Order ${name} was ${order.status === 'received' ? 'waiting' : 'running'} on the device when contact was lost`,
    );
  }
  switch (order.status) {
    case 'queued':
    case 'sent':
      if (!online) return concern('note', `Order ${name} waits for the device to come back`);
      if (now - since <= ORDER_TAKEN_WITHIN_MS) return undefined;
      return concern(
        'stuck',
        `Order ${name} was ${order.status} ${waited} ago and not received by the device`,
      );
    case 'received':
      if (now - since <= ORDER_TAKEN_WITHIN_MS) return undefined;
      return concern('stuck', `Order ${name} was received ${waited} ago and has not started`);
    default: {
      const { timeoutMs } = order.payload;
      const limit = typeof timeoutMs === 'number' ? timeoutMs + ORDER_TAKEN_WITHIN_MS : ORDER_RUNS_WITHIN_MS;
      if (now - since <= limit) return undefined;
      return concern('stuck', `Order ${name} has shown no progress for ${waited}`);
    }
  }
}

/** Apps in the same state are one concern: when all are away, that is one thing to look at and not four. */
function appConcerns({ apps = {}, online }: Device): Concern[] {
  const failing = Object.entries(apps).filter(([, state]) => !isWorking(state));
  return [...Map.groupBy(failing, ([, state]) => state)].map(([state, named]) => {
    const verb = online ? (named.length === 1 ? 'is' : 'are') : named.length === 1 ? 'was' : 'were';
    const text = `${named.map(([app]) => app).join(', ')} ${verb} ${state}${online ? '' : ' when last heard'}`;
    return { id: `apps:${state}`, kind: 'stuck', text };
  });
}

function queueConcerns({ queue, online }: Device, now: number): Concern[] {
  if (queue === undefined || queue.messages === 0) return [];
  const size = `${count(queue.messages, 'message')} (${formatBytes(queue.bytes)})`;
  const since = queue.oldestAt;
  if (!online) {
    return [{ id: 'queue', kind: 'note', text: `${size} were queued on the device when it was last heard` }];
  }
  if (since === undefined || now - since <= QUEUE_LEAVES_WITHIN_MS) return [];
  const age = formatDuration(now - since);
  return [{ id: 'queue', kind: 'stuck', text: `${size} queued on the device, the oldest for ${age}`, since }];
}

/** Accepted is receipted + expired + dropped + rejected + waiting, at any moment (architecture, invariant 1). */
export function ledgerDifference(entry: {
  accepted: number;
  receipted: number;
  expired: number;
  dropped: number;
  rejected: number;
  waiting: number;
}): number {
  return entry.accepted - entry.receipted - entry.expired - entry.dropped - entry.rejected - entry.waiting;
}

const ledgerConcerns = ({ ledger = {} }: Device): Concern[] =>
  Object.entries(ledger).flatMap(([lane, entry]) => {
    const difference = ledgerDifference(entry);
    if (difference === 0) return [];
    const text = `The ledger of lane ${lane} does not add up: ${count(Math.abs(difference), 'message')} ${difference > 0 ? 'unaccounted for' : 'too many'}`;
    return [{ id: `ledger:${lane}`, kind: 'stuck', text } as const];
  });

/** A document that is still on its way is the order's concern. */
function configConcerns({ config }: Device, now: number): Concern[] {
  const { wanted, version, drift, report } = config ?? {};
  // Other defaults came with an update that somebody ordered.
  if (drift === undefined || drift === 'software' || wanted === undefined) return [];
  const concern = (text: string, since: number): Concern[] => [{ id: 'config', kind: 'stuck', text, since }];
  if (drift === 'local') {
    const text = `Configuration ${wanted.version} is in force, but something on the device has changed since`;
    return concern(text, report?.at ?? wanted.at);
  }
  if (report?.version === wanted.version && report.status !== 'applied') {
    const [first] = report.errors ?? [];
    const how = report.status === 'rejected' ? 'was refused' : 'was taken back';
    const why =
      first === undefined ? '' : `: ${[first.app, first.key, first.message].filter(Boolean).join(' ')}`;
    return concern(`Configuration ${wanted.version} ${how}${why}`, report.at);
  }
  if (now - wanted.at <= CONFIG_ARRIVES_WITHIN_MS) return [];
  const held = version === undefined || version === 0 ? 'none' : String(version);
  return concern(`Configuration ${wanted.version} is wanted, ${held} is in force`, wanted.at);
}

/** How a device stands, by its worst concern. */
export type Standing = 'dark' | 'stuck' | 'fine';

export function standingOf(device: Device, concerns: readonly Concern[]): Standing {
  if (!device.online) return 'dark';
  return concerns.some(({ kind }) => kind === 'stuck') ? 'stuck' : 'fine';
}

export interface Watched {
  device: Device;
  concerns: Concern[];
  standing: Standing;
}

/** All devices with their concerns: the dark first (longest first), then what is stuck, then the rest by name. */
export function watchAll(devices: Iterable<Device>, orders: readonly Order[], now: number): Watched[] {
  const byDevice = Map.groupBy(orders, ({ deviceId }) => deviceId);
  const rank: Record<Standing, number> = { dark: 0, stuck: 1, fine: 2 };
  return [...devices]
    .map((device) => {
      const concerns = concernsOf(device, byDevice.get(device.deviceId) ?? [], now);
      return { device, concerns, standing: standingOf(device, concerns) };
    })
    .toSorted(
      (a, b) =>
        rank[a.standing] - rank[b.standing] ||
        (a.standing === 'dark' ? (a.device.since ?? 0) - (b.device.since ?? 0) : 0) ||
        a.device.name.localeCompare(b.device.name),
    );
}
