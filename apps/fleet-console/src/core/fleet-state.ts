/** All that the page knows, and the one function that changes it. */
import type {
  DeadLetter,
  Device,
  Order,
  Role,
  SeriesSummary,
  ServerInfo,
  StoredEvent,
  TelemetryNews,
} from '@bowline/messages';
import { ROLES } from '@bowline/messages/names';
import { isNewer } from './orders.ts';

/** Kept of each device: the newest. */
export const ORDERS_KEPT = 100;
export const EVENTS_KEPT = 200;
/** A list of more helps nobody, and of very many (a program that makes up names) no page shows anything any more. */
export const SERIES_SHOWN = 1000;

/** The stream of news. `lastHeardAt`: until when what is on the page is known to be true. */
export type Link =
  | { kind: 'connecting'; lastHeardAt?: number }
  | { kind: 'live'; lastHeardAt: number }
  | { kind: 'broken'; lastHeardAt?: number; reason: string; retryAt: number };

export interface Details {
  deviceId: string;
  events: StoredEvent[];
  deadLetters: DeadLetter[];
  /** At most {@link SERIES_SHOWN}. */
  series: SeriesSummary[];
  /** How many more there are. */
  furtherSeries?: number;
}

/** `reason`: why the operator is asked for a token again. Who is signed in is known once the server has said so. */
export type Session =
  { kind: 'out'; reason?: string } | { kind: 'entering' } | { kind: 'in'; operator?: string; role?: Role };

export interface FleetState {
  session: Session;
  /** Absent until the first answer. */
  server: ServerInfo | undefined;
  link: Link;
  /** Absent until the first answer. */
  devices: ReadonlyMap<string, Device> | undefined;
  orders: ReadonlyMap<string, Order>;
  /** Of the device that is shown; absent until the first answer about it. */
  details: Details | undefined;
  /** What the server sent and this page could not read. */
  misunderstood: { count: number; last: string };
  /** Why the details of the shown device could not be loaded. */
  loadError: string | undefined;
}

export const EMPTY_FLEET: FleetState = {
  session: { kind: 'out' },
  server: undefined,
  link: { kind: 'connecting' },
  devices: undefined,
  orders: new Map(),
  details: undefined,
  misunderstood: { count: 0, last: '' },
  loadError: undefined,
};

export type FleetNews =
  | { kind: 'signingIn' }
  | { kind: 'signedIn' }
  | { kind: 'session'; session: { operator: string; role: Role } }
  | { kind: 'server'; server: ServerInfo }
  | { kind: 'signedOut'; reason?: string }
  | { kind: 'link'; link: Link }
  | { kind: 'devices'; devices: readonly Device[] }
  | { kind: 'device'; device: Device }
  | { kind: 'orders'; orders: readonly Order[] }
  | { kind: 'details'; details: Details }
  | { kind: 'noDetails' }
  | { kind: 'loadFailed'; reason: string }
  | { kind: 'event'; event: StoredEvent }
  | { kind: 'telemetry'; news: TelemetryNews }
  | { kind: 'misunderstood'; reason: string };

export function afterNews(state: FleetState, news: FleetNews): FleetState {
  switch (news.kind) {
    case 'signingIn':
      return { ...EMPTY_FLEET, session: { kind: 'entering' } };
    case 'session': {
      const { operator, role } = news.session;
      return { ...state, session: { kind: 'in', operator, role } };
    }
    case 'server':
      return { ...state, server: news.server };
    case 'signedIn':
      return { ...EMPTY_FLEET, session: { kind: 'in' } };
    case 'signedOut':
      return { ...EMPTY_FLEET, session: { kind: 'out', ...(news.reason && { reason: news.reason }) } };
    case 'link':
      return { ...state, link: news.link };
    case 'devices':
      return { ...state, devices: new Map(news.devices.map((device) => [device.deviceId, device])) };
    case 'device':
      return { ...state, devices: new Map(state.devices).set(news.device.deviceId, news.device) };
    case 'orders':
      return { ...state, orders: withOrders(state.orders, news.orders) };
    case 'details':
      return { ...state, details: withFewSeries(news.details), loadError: undefined };
    case 'noDetails':
      return { ...state, details: undefined, loadError: undefined };
    case 'loadFailed':
      return { ...state, loadError: news.reason };
    case 'event':
      return { ...state, details: withEvent(state.details, news.event) };
    case 'telemetry':
      return { ...state, details: withSamples(state.details, news.news) };
    case 'misunderstood':
      return { ...state, misunderstood: { count: state.misunderstood.count + 1, last: news.reason } };
  }
}

/** A device's orders, newest first. */
export const ordersOf = (orders: ReadonlyMap<string, Order>, deviceId: string): Order[] =>
  [...orders.values()]
    .filter((order) => order.deviceId === deviceId)
    .toSorted((a, b) => b.createdAt - a.createdAt || b.seq - a.seq);

function withOrders(held: ReadonlyMap<string, Order>, news: readonly Order[]): ReadonlyMap<string, Order> {
  const orders = new Map(held);
  for (const order of news) {
    const known = orders.get(order.orderId);
    if (known === undefined || isNewer(order, known)) orders.set(order.orderId, order);
  }
  for (const deviceId of new Set(news.map((order) => order.deviceId))) {
    for (const old of ordersOf(orders, deviceId).slice(ORDERS_KEPT)) orders.delete(old.orderId);
  }
  return orders;
}

/** Of too many series, those of the machine, then those that were heard of last. */
function withFewSeries(details: Details): Details {
  const { series } = details;
  if (series.length <= SERIES_SHOWN) return details;
  const first = Object.groupBy(series, ({ series: name }) => (isOurs(name) ? 'ours' : 'theirs'));
  const shown = [
    ...(first.ours ?? []),
    ...(first.theirs ?? []).toSorted((a, b) => (b.last?.at ?? 0) - (a.last?.at ?? 0)),
  ].slice(0, SERIES_SHOWN);
  return { ...details, series: shown, furtherSeries: series.length - shown.length };
}

const isOurs = (name: string): boolean => /^(system|hw|bowline|process|nodejs)\./.test(name);

function withEvent(details: Details | undefined, event: StoredEvent): Details | undefined {
  if (details === undefined || details.deviceId !== event.deviceId) return details;
  if (details.events.some(({ id }) => id === event.id)) return details;
  const events = [event, ...details.events].toSorted((a, b) => b.at - a.at).slice(0, EVENTS_KEPT);
  return { ...details, events };
}

function withSamples(
  details: Details | undefined,
  { deviceId, samples }: TelemetryNews,
): Details | undefined {
  if (details === undefined || details.deviceId !== deviceId) return details;
  const series = new Map(details.series.map((entry) => [entry.series, entry]));
  for (const { series: name, at, value, unit } of samples) {
    const known = series.get(name);
    if (known === undefined && series.size >= SERIES_SHOWN) continue;
    if (known?.last !== undefined && known.last.at >= at) continue;
    const named = unit ?? known?.unit;
    series.set(name, { series: name, ...(named !== undefined && { unit: named }), last: { at, value } });
  }
  return { ...details, series: [...series.values()] };
}

/** Whether the operator may do what takes this role, as far as is known: the server decides. */
export const mayAct = ({ session }: FleetState, needed: Role): boolean =>
  session.kind === 'in' &&
  (session.role === undefined || ROLES.indexOf(session.role) >= ROLES.indexOf(needed));
