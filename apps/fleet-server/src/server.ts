import { join } from 'node:path';
import type { Server } from 'node:tls';
import {
  ConfigError,
  waitForLock,
  writeFileDurably,
  type AppContext,
  type RunningApp,
} from '@bowline/runtime';
import {
  CLOSE,
  DeadLetters,
  DeviceAccess,
  DeviceDirectory,
  DeviceStatusBook,
  DeviceViews,
  Enrolment,
  EnrolmentTokens,
  LinkServer,
  NewsDesk,
  OrderBook,
  Rollouts,
  TunnelServer,
  TunnelSessions,
  UplinkLog,
} from '@bowline/server-sdk';
import { readAuthority } from './adapters/authority-file.ts';
import { DiskGuard } from './adapters/disk-guard.ts';
import { TlsFiles } from './adapters/tls-files.ts';
import { loadServerKeys } from './adapters/server-keys.ts';
import type { ServerConfig } from './config.ts';
import { addressOf, auditOfTunnel } from './http/tunnel-audit.ts';
import { createHttpServer } from './http/http-server.ts';
import { AuditLog } from './operators/audit-log.ts';
import { OperatorDirectory } from './operators/operator-directory.ts';
import { Sessions } from './operators/sessions.ts';
import { TokenCheck } from './operators/token-check.ts';
import { listen, originsOf, tlsFilesOf } from './listen.ts';
import { tendBallast } from './store/ballast.ts';
import { Backups } from './store/backups.ts';
import { mustBeWhole } from './store/restore.ts';
import { openStore, type OpenedStore } from './store/open-store.ts';

/** Where the console's build is, seen from `src/` as from `dist/`. */
const CONSOLE_DIR = join(import.meta.dirname, '../../fleet-console/dist');

/** No cloud configures the server. */
type ServerContext = Omit<AppContext<ServerConfig>, 'live'>;

/** Puts the server together, in the order in which its parts need each other, and starts it. */
export async function startServer(context: ServerContext): Promise<RunningApp> {
  const { config, log, clock, signal } = context;
  const lock = await waitForLock(join(config.stateDir, 'lock'), { log, signal });
  let opened: OpenedStore | undefined;
  const release = async () => {
    await opened?.store.close();
    lock.release();
  };
  try {
    const { stateDir, commitDeadlineMs, compaction } = config;
    mustBeWhole(stateDir);
    opened = await openStore({ stateDir, commitDeadlineMs, compaction, clock, log });
    return await serve(context, opened, release);
  } catch (error) {
    await release();
    throw error;
  }
}

async function serve(
  { config, log, clock, ready }: ServerContext,
  { store, backend, files, identity }: OpenedStore,
  release: () => Promise<void>,
): Promise<RunningApp> {
  const { link, keep, operators } = config;
  const tlsFiles = tlsFilesOf(config);
  const tls = tlsFiles && new TlsFiles(tlsFiles, log);
  const keys = await loadServerKeys(config.stateDir);
  if (keys.rootKeyFile !== undefined)
    log.warn(
      { code: 'root-key-here', file: keys.rootKeyFile },
      'the root key of this fleet lies on the server: who captures it signs what he likes. Keep it elsewhere (docs/signed-orders.md)',
    );
  const fileToken = operators.fileToken ? keys.operatorToken : undefined;
  const directory = new OperatorDirectory(store, clock, fileToken);
  if (!directory.hasAdmin) {
    const sentence = 'Nobody could make operators: make an admin before operators.fileToken is false.';
    throw new ConfigError('no-admin', sentence);
  }
  const { sessionIdleMs: idleMs, sessionMaxMs: maxAgeMs } = operators;
  const people = {
    directory,
    tokenCheck: new TokenCheck(directory, fileToken),
    sessions: new Sessions(store, clock, { idleMs, maxAgeMs }),
    audit: new AuditLog(store, clock, config.audit),
  };
  const news = new NewsDesk();
  const devices = new DeviceDirectory(store);
  const status = new DeviceStatusBook(store, { devices, clock, news, log });
  const orderLimits = {
    ordersPerDevice: keep.orders,
    bytesPerDevice: keep.orderBytes,
    waitingPerDevice: keep.waitingOrders,
  };
  const orders = new OrderBook(store, { clock, news, limits: orderLimits });
  const uplink = new UplinkLog(store, {
    results: keep.resultsBytes,
    events: keep.eventsBytes,
    telemetry: keep.telemetryBytes,
    history: keep.historyBytes,
  });
  const deadLetters = new DeadLetters(store);
  const reconnect = { minMs: link.reconnectMinMs, maxMs: Math.max(link.reconnectMinMs, link.reconnectMaxMs) };
  const limits = { ...link, reconnect };
  const { trust } = keys;
  const parts = { identity, devices, status, orders, deadLetters, news, clock, log, trust };
  const callersAddress = addressOf(config.trustedProxies);
  const links = new LinkServer(
    { ...parts, store, uplink, limits },
    {
      maxLinks: link.maxLinks,
      attempts: { burst: link.attemptsBurst, perSecond: link.attemptsPerSecond },
      addressOf: callersAddress,
      requireCertificate: config.tlsRequireClientCert,
      compression: link.compression,
    },
  );
  const tokens = new EnrolmentTokens(store, clock, () => trust.rootThumbprint);
  const dismiss = (deviceId: string) => links.dismiss(deviceId);
  const access = new DeviceAccess({ store, devices, status, tokens, clock, dismiss });
  const enrolment = new Enrolment({
    devices,
    tokens,
    identity,
    clock,
    trust: () => trust.current.jws,
    ...(config.enrolment.caFile === undefined ? {} : { ca: readAuthority(config.enrolment.caFile) }),
    onRekeyed: (deviceId) => links.dismiss(deviceId, CLOSE.tokenRefused),
  });

  const rollouts = new Rollouts({ store, devices, status, orders, identity, news, clock, log });
  await rollouts.start();

  const tunnelSessions = new TunnelSessions(store, clock, config.tunnels);
  const tunnels = new TunnelServer(
    {
      sessions: tunnelSessions,
      clock,
      log,
      report: (report) => people.audit.append(auditOfTunnel(report)),
      addressOf: callersAddress,
    },
    {
      maxSockets: config.tunnels.maxSockets,
      attempts: { burst: config.tunnels.attemptsBurst, perSecond: config.tunnels.attemptsPerSecond },
      maxWaitingBytes: config.tunnels.waitingBytes,
      stallMs: config.tunnels.stallMs,
    },
  );

  const isPublicTls = config.publicUrl?.startsWith('https:') === true;
  let url = '';
  const http = await createHttpServer(
    {
      ...parts,
      ...people,
      views: new DeviceViews(uplink, store),
      answerBytes: Math.floor(keep.historyBytes / 2),
      store,
      backend,
      files,
      backups: new Backups({ backend, identity, clock }, config),
      signerUrl: config.signerUrl,
      tokens,
      access,
      links,
      tunnels,
      tunnelSessions,
      rollouts,
      releasesDir: config.releasesDir,
      enrolment,
      origins: () => originsOf(url, config.publicUrl),
    },
    {
      gate: {
        calls: { burst: operators.callsBurst, perSecond: operators.callsPerSecond },
        failures: { burst: operators.failuresBurst, perSecond: operators.failuresPerSecond },
        secure: tls !== undefined || isPublicTls,
      },
      trustedProxies: config.trustedProxies,
      consoleDir: config.consoleDir ?? CONSOLE_DIR,
      releasesDir: config.releasesDir,
      maxStreams: config.streams,
      enrolmentRate: config.enrolment,
      limits: config.http,
      strictTransport: isPublicTls,
      tls,
    },
  );
  const disk = new DiskGuard(
    links,
    { clock, log },
    {
      minFreeBytes: keep.minFreeBytes,
      freeBytes: () => tendBallast(files.ballast, keep.minFreeBytes),
    },
  );
  const stop = async () => {
    disk.stop();
    rollouts.stop();
    tls?.stop();
    await tunnels.drain();
    await links.drain();
    await http.close();
    await release();
  };
  disk.start();
  try {
    const { host = config.listen.host, port = config.listen.port } = config;
    url = await listen(http, { host, port, tls: tls !== undefined, allowInsecure: config.allowInsecure });
  } catch (error) {
    disk.stop();
    await links.drain();
    await http.close();
    throw error;
  }
  if (tls !== undefined && config.publicUrl === undefined)
    log.warn({ url }, 'devices elsewhere need publicUrl, the address by which they know this server');
  if (tls === undefined && config.allowInsecure)
    log.warn({ url }, 'allowInsecure: without TLS, whoever is on the way reads and changes everything');
  tls?.follow(http.server as unknown as Server);
  const { operatorTokenFile } = keys;
  if (config.infoFile !== undefined) {
    writeFileDurably(config.infoFile, `${JSON.stringify({ url, operatorTokenFile })}\n`);
  }
  log.info({ url, operatorTokenFile, serverId: identity.serverId }, 'listening');
  ready();
  return { stop };
}
