import { setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net';
import { join } from 'node:path';
import { configAnswers, openHub, updateBusy } from '@bowline/ipc';
import { HUB_APPS } from '@bowline/messages/hub/apps';
import type { Trust } from '@bowline/messages';
import {
  AGENT_VERSION,
  bootId as readBootId,
  ServerClock,
  waitForLock,
  watchVitals,
  type AppContext,
  type RunningApp,
} from '@bowline/runtime';
import type { GatewayConfig } from './config.ts';
import { ConfigHold } from './config-push/config-hold.ts';
import { ConfigPush } from './config-push/config-push.ts';
import { ConfigRecords } from './config-push/config-records.ts';
import { hubTargets } from './config-push/config-targets.ts';
import { OwnOverride } from './config-push/own-override.ts';
import { Capabilities } from './connection/capabilities.ts';
import { Connection } from './connection/connection.ts';
import { readNetwork, Surroundings } from './connection/surroundings.ts';
import { Counters } from './counters.ts';
import { HandOver } from './dispatcher/hand-over.ts';
import { OrderDesk } from './dispatcher/order-desk.ts';
import { KnownTrial } from './hub/known-trial.ts';
import { serveConfigOfDevice } from './hub/serve-config.ts';
import { AppTold } from './hub/app-told.ts';
import { serveHostKeyProof } from './hub/serve-host-key-proof.ts';
import { serveLinkProxy } from './hub/serve-link-proxy.ts';
import { AppVitals } from './hub/app-vitals.ts';
import { serveHub } from './hub/serve-hub.ts';
import { serveIdentity } from './hub/serve-identity.ts';
import { EventReporter } from './event-reporter.ts';
import { DeviceIdentity } from './identity/device-identity.ts';
import type { Enrolment } from './identity/enrolment-schema.ts';
import { forgetAsMarked, forgettable, markToForget } from './identity/forget.ts';
import { SigningTime } from './identity/signing-time.ts';
import { TrustKeeper } from './identity/trust-keeper.ts';
import { openPersistentQueue } from './persistent-queue.ts';
import { Progress } from './sender/send-progress.ts';
import { appStates, deviceStatus, undelivered } from './status.ts';
import { TrustedTime } from './trusted-time.ts';

/** How long one address may take before the next is tried beside it; Node's 250 ms break slow mobile links. */
const ADDRESS_ATTEMPT_MS = 3000;

/** How often orders that wait are looked at again: expired ones end, cancels left open go on. */
const SETTLE_EVERY_MS = 30_000;

/**
 * The gateway from nothing to running, in the order in which it happens: what is on disk first (lock, store, key), then
 * the apps of this device (hub), then the cloud (link). Without a cloud everything before it works.
 */
export async function boot({
  config,
  live,
  log,
  clock,
  ready,
  signal,
  restart,
}: AppContext<GatewayConfig>): Promise<RunningApp> {
  const agentVersion = AGENT_VERSION;
  // 1. One gateway owns the state folder, however its predecessor ended.
  const lock = await waitForLock(join(config.stateDir, 'gateway.lock'), { log, signal });
  if (forgetAsMarked(config.stateDir)) log.warn('the device has forgotten who it was, as it was told to');
  const serverClock = new ServerClock(clock);
  const queue = await openPersistentQueue(config, clock, serverClock);
  // Child and addon were for the store alone: a gateway that is captured from here on starts and loads nothing.
  process.permission?.drop('child');
  process.permission?.drop('addon');
  const trust = new TrustKeeper(config.stateDir);
  const signingTime = new SigningTime({ clock, serverClock });
  const accepted = (enrolment: Enrolment) => trust.enrolled(enrolment.trust);
  const identity = await DeviceIdentity.open({ live, agentVersion, signingTime, accepted, log });

  // 2. The apps: their sockets, their orders, their messages.
  const bootId = readBootId();
  const counters = new Counters();
  const events = new EventReporter({ queue, clock, counters, log });
  if (queue.recovery !== undefined) await events.report('store-recovered', 'critical', { ...queue.recovery });
  if (trust.damaged)
    await events.report('trust-chain-damaged', 'warning', { keptAs: 'trust-chain.json.damaged' });
  const startedAtMs = clock.monotonicMs();
  const uptimeSeconds = () => Math.round((clock.monotonicMs() - startedAtMs) / 1000);
  const hub = await openHub({ ...hubFolders(config), log, clock });
  const handOver = new HandOver({
    hub,
    queue,
    clock,
    log,
    serverClock,
    own: { take: () => configPush.take(), cancel: (entry) => configPush.cancel(entry) },
  });
  const stored = () => connection.pump();
  const desk = new OrderDesk({
    queue,
    clock,
    serverClock,
    log,
    events,
    bootId,
    parkedOrders: () => live.current.downlink.inflightMessages,
    own: new Map([
      [
        'trust',
        async (payload) => {
          const take = await trust.judge((payload as Trust).trust);
          return () => {
            take();
            hub.notifyAll('trust', { version: trust.version });
          };
        },
      ],
    ]),
    supports: (type) => handOver.supports(type),
    startsAtOnce: (type) => handOver.startsAtOnce(type),
    offer: (entry) => handOver.offer(entry),
    cancel: (entry) => handOver.cancel(entry),
    stored,
    receipt: () => connection.receiptOrders(),
  });

  const capabilities = new Capabilities(join(config.stateDir, 'capabilities.json'));

  // 3. The cloud.
  const trustedTime = new TrustedTime(join(config.stateDir, 'trusted-time.json'), { clock, log });
  setDefaultAutoSelectFamilyAttemptTimeout(ADDRESS_ATTEMPT_MS);
  const connection: Connection = new Connection({
    get config() {
      return live.current;
    },
    queue,
    signingTime,
    clock,
    serverClock,
    log,
    counters,
    events,
    bootId,
    agentVersion,
    // The last one tells the server which bundles this device lacks.
    capabilities: () => [...capabilities.all().slice(0, 255), `trust:${trust.version}`],
    random: Math.random,
    uptimeSeconds,
    apps: () => appStates(hub),
    receive: (order) => desk.receive(order),
    retryParked: () => desk.retryParked(),
    onLost: () => desk.dropParked(),
    onState: ({ name, since }) => {
      hub.notifyAll('link', { state: name, since, ...serverTime(serverClock) });
      configPush.link(name);
    },
    configuration: () => configPush.summary,
    identity: () => identity.forLink(),
    provenBy: (certificate) => trustedTime.provenBy(certificate),
  });
  const appTold = new AppTold();
  const appVitals = new AppVitals();
  const trial = new KnownTrial(clock);
  const vitals = watchVitals();
  const startedAt = Math.round(clock.wallMs());
  const status = () =>
    deviceStatus({
      appTold,
      queue,
      hub,
      connection,
      counters,
      clock,
      bootId,
      agentVersion,
      enrolment: identity.enrolment,
      uptimeSeconds: uptimeSeconds(),
      appVitals,
      trial: trial.view,
      gateway: { pid: process.pid, startedAt, ...vitals() },
    });
  const records = new ConfigRecords(queue);
  const targets = hubTargets(hub, configAnswers(live, restart));
  const hold = new ConfigHold(join(config.stateDir, 'config-hold.json'), {
    bootId,
    clock,
    log,
    ended: () => configPush.take(),
  });
  const configPush: ConfigPush = new ConfigPush({
    queue,
    records,
    targets,
    desk,
    events,
    clock,
    // Unlike the clock of the process, it counts from the boot.
    now: () => ({ bootId, monotonicMs: Number(process.hrtime.bigint() / 1_000_000n) }),
    log,
    limits: () => live.current.config,
    renewLink: () => connection.renew('the link is made anew under another configuration'),
    stored,
    own: new OwnOverride({ live, clock, log, restart }),
    isEnrolled: () => identity.enrolment !== undefined,
    lastLinkError: () => connection.state.lastError,
    isHeld: () => hold.isOn,
  });
  configPush.heard('ws-gateway', live);
  const progress = new Progress(queue, clock, counters, (text) => connection.sendLive(text));
  const greet = () => ({
    ...(identity.enrolment === undefined ? {} : { deviceId: identity.enrolment.deviceId }),
    bootId,
    link: connection.state.name,
    ...serverTime(serverClock),
  });
  const trustAbove = (version: number) => ({
    bundles: trust.above(version),
    ...(identity.enrolment === undefined
      ? {}
      : { device: { deviceId: identity.enrolment.deviceId, groups: identity.enrolment.groups } }),
  });
  const settle = (work: Promise<void>, what: string) => events.unlessRefused(work, what);
  const online = () => connection.online;
  const linkLog = () => connection.attemptLog();
  serveHub({
    hub,
    appVitals,
    trial,
    counters,
    queue,
    desk,
    handOver,
    progress,
    online,
    stored,
    settle,
    learnIdempotent: (commands) => capabilities.learn(commands),
    setLogLevel: (level) => log.changeLevel?.(level) ?? level,
    greet,
    status,
    trustAbove,
    linkLog,
    appTold,
  });
  serveIdentity({
    hub,
    identity,
    mayChange: () => {
      if (hold.isOn) throw updateBusy(trial.view);
    },
    defaultServer: config.enrolment.server,
    onEnrolled: () => connection.renew('the device has enrolled anew'),
    losses: () => ({ paths: forgettable(config.stateDir), ...undelivered(queue) }),
    forget: () => {
      markToForget(config.stateDir);
      setImmediate(() => restart('to forget who it was')); // the answer goes first
    },
  });
  serveConfigOfDevice({ hub, push: configPush, hold, trial, records, targets, live });
  serveHostKeyProof(
    hub,
    () => identity.key(),
    () => serverClock.nowMs() ?? clock.wallMs(),
  );
  serveLinkProxy(hub, live);
  const surroundings = new Surroundings({
    clock,
    readNetwork,
    disturbed: (what) => connection.disturbed(what),
  });
  identity.onChanged = () => hub.notifyAll('trust', { version: trust.version });
  connection.connect();
  surroundings.start();
  await configPush.start();
  const settling = setInterval(() => {
    trustedTime.record(serverClock.nowMs());
    void settle(desk.settleWaiting(), 'settle').then(() => settle(desk.retryParked(), 'parked orders'));
  }, SETTLE_EVERY_MS);
  ready();

  return {
    async stop() {
      clearInterval(settling);
      configPush.stop();
      trustedTime.record(serverClock.nowMs(), true);
      surroundings.stop();
      await connection.disconnect();
      await hub.close();
      await queue.close();
      lock.release();
    },
  };
}

/** With a user for each app, a folder for each app: its group is who may enter (docs/ipc.md). */
function hubFolders({ hubFolder, appSocketsFolder, appSocketGroups = {} }: GatewayConfig) {
  if (appSocketsFolder === undefined) return { folder: hubFolder };
  const appFolders = Object.fromEntries(HUB_APPS.map((app) => [app, join(appSocketsFolder, app)]));
  return { folder: hubFolder, folderMode: 0o750, appFolders, appGroups: appSocketGroups };
}

function serverTime(serverClock: ServerClock): { serverTime?: number } {
  const nowMs = serverClock.nowMs();
  return nowMs === undefined ? {} : { serverTime: Math.round(nowMs) };
}
