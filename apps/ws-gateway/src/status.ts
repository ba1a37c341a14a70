import type { DurableQueue, JournalEntry } from '@bowline/durable-queue';
import type { Hub } from '@bowline/ipc';
import { UPLINK_LANES } from '@bowline/messages';
import type { DeviceStatus } from '@bowline/messages/hub';
import { HUB_APPS } from '@bowline/messages/hub/apps';
import type { Clock } from '@bowline/runtime';
import type { AppVitals } from './hub/app-vitals.ts';
import type { Connection } from './connection/connection.ts';
import type { Counters } from './counters.ts';
import type { AppTold } from './hub/app-told.ts';
import type { Enrolment } from './identity/enrolment-schema.ts';

const RECENT_ORDERS = 20;
const DEAD_LETTERS = 1000;

/** State of each app as the hub sees it, for heartbeat and status; the CLI is a visitor, not an app. */
export function appStates(hub: Hub): Record<string, string> {
  const registered = new Set<string>(hub.peers().map(({ app }) => app));
  const apps = HUB_APPS.filter((app) => app !== 'cli');
  return Object.fromEntries(apps.map((app) => [app, registered.has(app) ? 'ready' : 'away']));
}

/** The device's own view of itself, as `bowline status` shows it. */
export function deviceStatus(ports: {
  queue: DurableQueue;
  hub: Hub;
  connection: Connection;
  counters: Counters;
  clock: Clock;
  bootId: string;
  agentVersion: string;
  enrolment: Enrolment | undefined;
  uptimeSeconds: number;
  appTold: AppTold;
  appVitals: AppVitals;
  trial: DeviceStatus['trial'];
  gateway: DeviceStatus['gateway'];
}): DeviceStatus {
  const { queue, connection, clock } = ports;
  const { state } = connection;
  const trustedBy = ports.enrolment?.made?.trustedBy;
  const lanes = queue.lanes();
  const ledger = queue.ledger();
  const peers = new Map<string, ReturnType<Hub['peers']>[number]>(
    ports.hub.peers().map((peer) => [peer.app, peer]),
  );
  return {
    device: {
      ...(ports.enrolment === undefined ? {} : { id: ports.enrolment.deviceId }),
      bootId: ports.bootId,
      agentVersion: ports.agentVersion,
      uptimeSeconds: ports.uptimeSeconds,
      ...(trustedBy === undefined ? {} : { trustedBy }),
    },
    link: {
      state: state.name,
      since: state.since,
      attempts: state.attempts,
      ...(connection.server === undefined ? {} : { server: connection.server }),
      ...(state.name === 'online' ? { sessionId: state.sessionId } : {}),
      ...(connection.roundTripMs === undefined ? {} : { roundTripMs: connection.roundTripMs }),
      ...(state.name === 'offline' && state.retryAtMonotonicMs !== undefined
        ? { nextAttemptInMs: Math.max(0, Math.round(state.retryAtMonotonicMs - clock.monotonicMs())) }
        : {}),
      ...(state.lastError === undefined ? {} : { lastError: state.lastError }),
    },
    queue: {
      epoch: queue.epoch,
      lanes: Object.fromEntries(UPLINK_LANES.map((lane) => [lane, { ...lanes[lane], ledger: ledger[lane] }])),
      deadLetters: queue.deadLetters(DEAD_LETTERS).length,
    },
    apps: Object.fromEntries(
      Object.entries(appStates(ports.hub)).map(([app, appState]) => {
        const peer = peers.get(app);
        const restarts = ports.appVitals.restarts(app);
        if (peer === undefined) return [app, { state: appState, since: 0, restarts }];
        const { version, pid, since } = peer;
        const vitals = ports.appVitals.of(peer);
        return [
          app,
          {
            state: appState,
            version,
            pid,
            since,
            restarts,
            ...vitals,
            ...ports.appTold.of(peer.app),
          },
        ];
      }),
    ),
    ...(ports.gateway === undefined ? {} : { gateway: ports.gateway }),
    ...(ports.trial === undefined ? {} : { trial: ports.trial }),
    orders: queue.recentOrders(RECENT_ORDERS).map(orderLine),
    counters: { ...ports.counters.all(), ...hubCounters(ports.hub), ...forgotten(queue) },
  };
}

/** What went wrong at the hub, as far as anything did. */
function hubCounters({ counters }: Hub): Record<string, number> {
  const counted = Object.entries(counters).filter(([, count]) => count > 0);
  return Object.fromEntries(counted.map(([name, count]) => [`hub.${kebabCase(name)}`, count]));
}

/** Dead letters that went for want of room; absent: none. */
function forgotten(queue: DurableQueue): Record<string, number> {
  const count = queue.forgottenDeadLetters();
  return count === 0 ? {} : { 'dead-letters.forgotten': count };
}

const kebabCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function orderLine(entry: JournalEntry): DeviceStatus['orders'][number] {
  const { name } = JSON.parse(entry.payloadJson) as { name?: unknown };
  return {
    orderId: entry.orderId,
    type: entry.type,
    ...(typeof name === 'string' ? { name } : {}),
    status: entry.status,
    attempt: entry.attempt,
    receivedAt: entry.receivedAt,
    ...(entry.endedAt === undefined ? {} : { endedAt: entry.endedAt }),
    ...(entry.error === undefined ? {} : { error: entry.error }),
  };
}

/** What the cloud has not got yet, and orders that have not ended. */
export function undelivered(queue: DurableQueue): { messages: number; orders: number } {
  const lanes = queue.lanes();
  return {
    messages: UPLINK_LANES.reduce((sum, lane) => sum + lanes[lane].messages, 0),
    orders: queue.unfinishedOrders().length,
  };
}
