import { UPLINK_LANES, type Alarm, type Lane, type ServerIncident, type StoreLoss } from '@bowline/messages';
import { withAlarm, type StatusRecord } from '../devices/device-status.ts';
import type { DeviceRecord } from '../devices/device-directory.ts';
import type { DownlinkState } from '../orders/downlink.ts';
import { inNewEpoch, type RememberedStore } from '../server-identity.ts';
import { noteIncident } from '../server-incidents.ts';
import { emptyLane } from '../uplink/lane-state.ts';
import { UNKNOWN_EPOCH, type UplinkState } from '../uplink/uplink-state.ts';
import { keys } from './keys.ts';
import {
  parse,
  put,
  read,
  remove,
  within,
  type Entry,
  type ServerStore,
  type Write,
} from './server-store.ts';

export interface RepairFacts {
  wallMs: number;
  remembered?: RememberedStore;
  /** What was wrong with the file, and where it lies now. */
  detail: string;
  /** Keys of records that were there and do not read. */
  unreadable: string[];
  /** Keys of records in the place of which an older form was found, or the same. */
  replaced: string[];
}

interface DeviceSums {
  lanes: Record<Lane, { logBytes: number; idsBytes: number }>;
  deadLetterBytes: number;
  orders: number;
  /** The highest that keys of its records name. */
  generation: number;
}

/** More of them are counted, not listed. */
const MAX_LOSSES = 200;
const PAGE = 256;

/**
 * Makes a store whole again of which records are missing or have come back: sums and indexes follow what is there, a new
 * `serverEpoch` makes every device say what it still holds (protocol, section 3), and what is known to be lost is noted
 * as an incident and as an alarm of each device. Doing it twice is no harm.
 */
export async function repair(store: ServerStore, facts: RepairFacts): Promise<ServerIncident> {
  const sums = await sumUp(store);
  const devices = await checkDevices(store);
  const losses: StoreLoss[] = [
    ...facts.unreadable.map(lossOf),
    // It may have been revoked, or given another key, since.
    ...facts.replaced.filter(isDevice).map((key) => ({ ...lossOf(key), kind: 'device-changes' })),
  ];
  for (const [deviceId, held] of sums) {
    losses.push(...(await settle(store, deviceId, held)));
    if (!devices.has(deviceId)) losses.push({ kind: 'device', deviceId });
  }
  await dropStrayOwners(store);
  // They are made anew when each device says hello under the new epoch.
  await change(store, keys.queues, ({ key }) => [remove(key)]);

  const message = `the store was damaged, and what could be read of it was saved: ${facts.detail}`;
  const incident: ServerIncident = {
    at: facts.wallMs,
    kind: 'damaged',
    message,
    lost: losses.slice(0, MAX_LOSSES),
    lostInAll: losses.length,
  };
  for (const deviceId of devices) {
    const own = losses.filter((loss) => loss.deviceId === deviceId);
    if (own.length > 0) await raise(store, deviceId, own, facts.wallMs);
  }
  await store.write([inNewEpoch(store, facts.remembered), noteIncident(store, incident)]);
  return incident;
}

/** Goes through a part of the store without holding all of it, and writes what `writesFor` says, a page at a time. */
async function change(
  store: ServerStore,
  prefix: string,
  writesFor: (entry: Entry) => Write[],
): Promise<void> {
  const range = within(prefix);
  for (let { from } = range; ;) {
    const page = store.range({ ...range, from, limit: PAGE });
    const writes = page.flatMap(writesFor);
    if (writes.length > 0) await store.write(writes);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    from = `${last.key}\0`;
  }
}

const visit = (store: ServerStore, prefix: string, look: (entry: Entry) => void): Promise<void> =>
  change(store, prefix, (entry) => {
    look(entry);
    return [];
  });

async function sumUp(store: ServerStore): Promise<Map<string, DeviceSums>> {
  const sums = new Map<string, DeviceSums>();
  const of = (deviceId = '') => {
    const held = sums.get(deviceId) ?? noSums();
    sums.set(deviceId, held);
    return held;
  };
  for (const [prefix, sum] of [
    [keys.logs, 'logBytes'],
    [keys.allIds, 'idsBytes'],
  ] as const) {
    await visit(store, prefix, ({ key, value }) => {
      const [, deviceId, lane, generation] = key.split('/');
      const held = of(deviceId);
      held.lanes[lane as Lane][sum] += value.length;
      held.generation = Math.max(held.generation, Number(generation));
    });
  }
  await visit(store, keys.deadLetters, ({ key, value }) => {
    of(key.split('/')[1]).deadLetterBytes += value.length;
  });
  await visit(store, keys.uplinks, ({ key }) => void of(key.split('/')[1]));
  await change(store, keys.orders, ({ key }) => {
    const [, deviceId = '', orderId = ''] = key.split('/');
    of(deviceId).orders += 1;
    return [put(keys.orderOwner(orderId), { deviceId })];
  });
  return sums;
}

const noSums = (): DeviceSums => ({
  lanes: {
    results: { logBytes: 0, idsBytes: 0 },
    events: { logBytes: 0, idsBytes: 0 },
    telemetry: { logBytes: 0, idsBytes: 0 },
    history: { logBytes: 0, idsBytes: 0 },
  },
  deadLetterBytes: 0,
  orders: 0,
  generation: 0,
});

/** @returns the ids of all devices, of which each has its key, and no other, in the index. */
async function checkDevices(store: ServerStore): Promise<Set<string>> {
  const devices = new Set<string>();
  await change(store, keys.keyOwners, ({ key, value }) => {
    const { deviceId } = parse<{ deviceId: string }>(value);
    const owner = read<DeviceRecord>(store, keys.device(deviceId));
    return owner !== undefined && keys.key(owner.thumbprint) === key ? [] : [remove(key)];
  });
  await change(store, keys.devices, ({ value }) => {
    const { deviceId, thumbprint } = parse<DeviceRecord>(value);
    devices.add(deviceId);
    return [put(keys.key(thumbprint), { deviceId })];
  });
  return devices;
}

/** Writes the sums of what is there. @returns what is missing by the sums that were written before. */
async function settle(store: ServerStore, deviceId: string, held: DeviceSums): Promise<StoreLoss[]> {
  const losses: StoreLoss[] = [];
  const before = read<UplinkState>(store, keys.uplink(deviceId));
  if (before === undefined && held.generation > 0) losses.push({ kind: 'link-state', deviceId });
  const state = before ?? unknownState(held.generation);
  for (const lane of UPLINK_LANES) {
    const bytes = state.lanes[lane].logBytes - held.lanes[lane].logBytes;
    if (before !== undefined && bytes > 0) losses.push({ kind: lane, deviceId, bytes });
    Object.assign(state.lanes[lane], held.lanes[lane]);
  }
  state.deadLetterBytes = held.deadLetterBytes;
  state.generation = Math.max(state.generation, held.generation);
  const writes = [put(keys.uplink(deviceId), state)];

  const downlink = read<DownlinkState>(store, keys.downlink(deviceId));
  const missing = (downlink?.orders ?? 0) - held.orders;
  if (missing > 0) losses.push({ kind: 'orders', deviceId, records: missing });
  if (downlink !== undefined || held.orders > 0) {
    // Under the new epoch they are numbered anew.
    const { serverEpoch = '', next = 1, offered = 0, receipted = 0 } = downlink ?? {};
    const state: DownlinkState = { serverEpoch, next, offered, receipted, orders: held.orders };
    writes.push(put(keys.downlink(deviceId), state));
  }
  await store.write(writes);
  return losses;
}

/** Of a device whose state is lost: it is asked for everything, and what comes again is known by its id. */
const unknownState = (generation: number): UplinkState => ({
  epoch: UNKNOWN_EPOCH,
  generation,
  epochSince: 0,
  lanes: {
    results: { ...emptyLane(), logBytes: 0, idsBytes: 0 },
    events: { ...emptyLane(), logBytes: 0, idsBytes: 0 },
    telemetry: { ...emptyLane(), logBytes: 0, idsBytes: 0 },
    history: { ...emptyLane(), logBytes: 0, idsBytes: 0 },
  },
  deadLetterBytes: 0,
});

async function dropStrayOwners(store: ServerStore): Promise<void> {
  await change(store, keys.orderOwners, ({ key, value }) => {
    const { deviceId } = parse<{ deviceId: string }>(value);
    const orderId = key.slice(keys.orderOwners.length);
    return store.get(keys.order(deviceId, orderId)) === undefined ? [remove(key)] : [];
  });
}

async function raise(store: ServerStore, deviceId: string, lost: StoreLoss[], at: number): Promise<void> {
  const held = read<StatusRecord>(store, keys.status(deviceId)) ?? { alarms: [] };
  const message = 'the store of the server was damaged: something of this device is lost there';
  const alarm: Alarm = { kind: 'server-lost-data', at, message, data: { lost: lost.slice(0, 10) } };
  await store.write([put(keys.status(deviceId), withAlarm(held, alarm))]);
}

const isDevice = (key: string): boolean => key.startsWith(keys.devices);

/** A record whose key is all that reads. */
function lossOf(key: string): StoreLoss {
  const [kind = '', deviceId, lane] = key.split('/');
  const ofDevice = ['device', 'status', 'uplink', 'log', 'ids', 'dead', 'downlink', 'queue', 'order'];
  return {
    kind: kind === 'log' && lane !== undefined ? lane : kind,
    ...(ofDevice.includes(kind) && deviceId !== undefined ? { deviceId } : {}),
    records: 1,
  };
}
