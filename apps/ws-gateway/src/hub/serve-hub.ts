import type { DurableQueue } from '@bowline/durable-queue';
import type { Hub } from '@bowline/ipc';
import { MAX_PAYLOAD_NESTING, nestsBelow } from '@bowline/messages/frame';
import type { DeviceStatus, HubRequests } from '@bowline/messages/hub';
import type { LogLevel } from '@bowline/runtime';
import { ContractError } from '@bowline/runtime/errors';
import type { Counters } from '../counters.ts';
import type { OrderDesk } from '../dispatcher/order-desk.ts';
import type { HandOver } from '../dispatcher/hand-over.ts';
import { mustBeCli } from './cli-only.ts';
import type { AppTold } from './app-told.ts';
import type { AppVitals } from './app-vitals.ts';
import type { KnownTrial } from './known-trial.ts';
import { serveDeadLetters } from './serve-dead-letters.ts';
import { mustBeExecutor } from './executor-only.ts';
import { mustBeOwn } from './must-be-own.ts';
import { toLanes } from '../sender/send-telemetry.ts';
import type { Progress } from '../sender/send-progress.ts';

export interface HubPorts {
  hub: Hub;
  counters: Pick<Counters, 'add'>;
  queue: DurableQueue;
  desk: OrderDesk;
  handOver: HandOver;
  progress: Progress;
  appVitals: AppVitals;
  trial: Pick<KnownTrial, 'told'>;
  online(): boolean;
  /** Something new is in the outbox. */
  stored(): void;
  /** Waits for work on waiting orders that a full store may refuse; it is tried again later. */
  settle(work: Promise<void>, what: string): Promise<unknown>;
  /** Commands that may run again, as the executor says when it registers. */
  learnIdempotent(commands: readonly string[]): void;
  /** Changes how much the gateway itself logs. @returns the level before. */
  setLogLevel(level: LogLevel): LogLevel;
  /** What an app is told when it registers. */
  greet(): HubRequests['register']['response'];
  status(): DeviceStatus;
  /** Bundles above a version, and which device this is: what the apps that check signatures ask for. */
  trustAbove(version: number): HubRequests['trustBundles']['response'];
  /** Failed attempts and ended links, oldest first. */
  appTold: AppTold;
  linkLog(): HubRequests['linkLog']['response']['attempts'];
}

/** What the apps of this device may ask of the gateway, and what happens when one of them registers. */
export function serveHub({
  hub,
  counters,
  queue,
  desk,
  handOver,
  progress,
  appVitals,
  trial,
  online,
  stored,
  settle,
  learnIdempotent,
  setLogLevel,
  greet,
  status,
  trustAbove,
  appTold,
  linkLog,
}: HubPorts): void {
  hub.handle('register', ({ app, idempotent }) => {
    if (app === 'command-executor' && idempotent !== undefined) learnIdempotent(idempotent);
    return greet();
  });

  hub.handle('idempotent', ({ commands }, peer) => {
    mustBeExecutor(peer);
    learnIdempotent(commands);
    return {};
  });

  hub.handle('setLogLevel', ({ app: target, level }, peer) => {
    mustBeExecutor(peer);
    return target === 'ws-gateway'
      ? { previous: setLogLevel(level) }
      : hub.request(target, 'setLogLevel', { level });
  });

  // No `async` function: it would keep the decoded messages until they are on disk.
  hub.handle('enqueue', (request, { app }) => {
    const { producer: id, batch, after } = request;
    mustBeOwn(app, request.messages, counters);
    const accepted = request.messages.length;
    const producer = { app, id, batch, ...(after === undefined ? {} : { after }) };
    return queue.commit({ enqueue: toLanes(request, online()), producer }).then(({ duplicate }) => {
      stored();
      return { accepted, duplicate };
    });
  });

  hub.handle('reportOrder', async ({ orderId, ...report }, { app }) => {
    // One level more is the ack around it.
    if (nestsBelow(report.result, MAX_PAYLOAD_NESTING - 1)) {
      throw new ContractError('too-deep', `a result may nest ${MAX_PAYLOAD_NESTING - 1} levels deep`);
    }
    return { attempt: await desk.report(app, orderId, report) };
  });

  hub.handle('status', status);
  hub.handle('trustBundles', ({ above }) => trustAbove(above));

  hub.handle('linkLog', () => ({ attempts: linkLog() }));

  hub.handle('localHistory', (request, peer) => {
    mustBeCli(peer);
    return hub.request('telemetry-collector', 'localHistory', request);
  });

  hub.handle('runJob', ({ app, job }, peer) => {
    mustBeCli(peer);
    return hub.request(app, 'runJob', { job });
  });

  serveDeadLetters(hub, queue, stored);

  hub.onNotification('appState', (told, { app }) => appTold.heard(app, told));
  hub.onGone(({ app }) => appTold.gone(app));

  hub.onNotification('progress', (body, { app }) => progress.report(app, body));
  hub.onNotification('vitals', (body, peer) => appVitals.told(peer, body));
  hub.onNotification('trial', (body, { app }) => {
    if (app === 'ota-updater') trial.told(body);
  });

  hub.onRegistered((peer) => appVitals.registered(peer));
  hub.onRegistered(({ app }) => {
    // An app that came back is told of everything that has not ended; what it cannot handle at all is refused now.
    void settle(desk.refuseUnhandled(app), 'refuse what no app handles')
      .then(() => settle(desk.settleWaiting(), 'settle'))
      .then(() => handOver.offerAll(app));
  });
}
