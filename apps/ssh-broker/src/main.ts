import { join } from 'node:path';
import { joinHub, reportDurably, takeSignedOrders } from '@bowline/device-app';
import { AGENT_VERSION, bootId, runApp, waitForLock } from '@bowline/runtime';
import { accessOrders } from './adapters/access-orders.ts';
import { findSshd } from './adapters/find-sshd.ts';
import { wipeLeftovers } from './adapters/run-folder.ts';
import type { BrokerConfig } from './config.ts';
import { readinessKey, sshReady } from './core/ssh-ready.ts';
import { config as validateConfig } from './generated/config.js';

const APP = 'ssh-broker';

await runApp<BrokerConfig>({
  app: APP,
  version: AGENT_VERSION,
  validateConfig,
  start: async ({ config, live, log, clock, ready, signal, restart }) => {
    const lock = await waitForLock(join(config.stateDir, 'lock'), { log, signal });
    const leftovers = wipeLeftovers(config.runFolder ?? join(config.stateDir, 'run'));
    if (leftovers.length > 0) log.warn({ leftovers }, 'leftovers of sessions removed');
    const found = await findSshd(config.sshdPath);

    const hub = await joinHub({
      app: APP,
      version: AGENT_VERSION,
      orderTypes: ['sshAccess'],
      config,
      live,
      restart,
      log,
      clock,
      signal,
    });
    takeSignedOrders(hub, log, accessOrders);
    hub.client.handle('cancelOrder', () => ({ outcome: 'too-late' }));
    const readiness = { version: AGENT_VERSION, bootId: bootId(), ...found };
    const reporting = reportDurably(
      {
        file: join(config.stateDir, 'reported.json'),
        key: readinessKey(readiness),
        event: (at) => sshReady(readiness, at),
      },
      { client: hub.client, clock, signal },
    ).then((reported) => log.info({ ...readiness, reported }, 'ssh ready'));
    ready();

    return {
      stop: async () => {
        await reporting;
        hub.close();
        lock.release();
      },
    };
  },
});
