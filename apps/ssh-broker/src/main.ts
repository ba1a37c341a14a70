import { join, resolve } from 'node:path';
import { joinHub, takeSignedOrders } from '@bowline/device-app';
import { AGENT_VERSION, bootId, runApp, waitForLock } from '@bowline/runtime';
import { AuditJournal } from './adapters/audit-journal.ts';
import { Broker } from './adapters/broker.ts';
import { findSshd, keepLooking, makePrivilegeFolder } from './adapters/find-sshd.ts';
import { ReadinessReport } from './adapters/report-readiness.ts';
import { wipeLeftovers } from './adapters/run-folder.ts';
import { SessionRecords } from './adapters/session-records.ts';
import { sessionGroups } from './adapters/session-units.ts';
import { settleCutOff } from './adapters/settle-cut-off.ts';
import type { BrokerConfig } from './config.ts';
import { config as validateConfig } from './generated/config.js';

const APP = 'ssh-broker';
/** How long the last reports may take at the stop. */
const REPORT_WITHIN_MS = 1500;

await runApp<BrokerConfig>({
  app: APP,
  version: AGENT_VERSION,
  validateConfig,
  start: async ({ config, live, log, clock, ready, signal, restart }) => {
    const { stateDir } = config;
    const lock = await waitForLock(join(stateDir, 'lock'), { log, signal });
    const run = await wipeLeftovers(resolve(config.runFolder ?? join(stateDir, 'run')));
    const records = new SessionRecords(join(stateDir, 'sessions'));
    const { groups, all } = await sessionGroups();
    const found = await findSshd(config.sshdPath);
    makePrivilegeFolder();

    const giveUp = new AbortController();
    const hub = await joinHub({
      app: APP,
      version: AGENT_VERSION,
      orderTypes: ['sshAccess'],
      config,
      live,
      restart,
      log,
      clock,
      signal: giveUp.signal,
    });
    const { client } = hub;
    const auditPorts = { client, clock, log, signal: giveUp.signal };
    const audit = new AuditJournal(stateDir, () => live.current.auditBytes, auditPorts);
    const boot = bootId();
    const { leftovers } = run;
    await settleCutOff({ records, groups: all, clock, audit, bootId: boot, leftovers, log });
    if (leftovers.length > 0) log.warn({ leftovers }, 'leftovers of sessions removed');
    const readiness = new ReadinessReport({ client, clock, log, signal, stateDir, bootId: boot });
    const sshd = keepLooking(config.sshdPath, found, (now) => readiness.send(now));
    const way = hub.wayOut(config, '');
    const ports = { hub, clock, log, audit, records, run, bootId: boot, sshd, groups, way };
    const broker = new Broker({ ...ports, config: () => live.current, random: Math.random });
    takeSignedOrders(hub, log, broker);
    broker.tellEnds();
    client.handle('cancelOrder', ({ orderId }) => broker.cancel(orderId));
    readiness.send(found);
    ready();

    return {
      stop: async () => {
        await broker.stop();
        // What is not taken within this is told after the next start.
        setTimeout(() => giveUp.abort(signal.reason), REPORT_WITHIN_MS).unref();
        await Promise.all([readiness.sent(), broker.reported(), audit.sent()]);
        hub.close();
        lock.release();
      },
    };
  },
});
