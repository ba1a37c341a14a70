import { release } from 'node:os';
import { join } from 'node:path';
import { joinHub, reportDurably, takeSignedOrders } from '@bowline/device-app';
import { AGENT_VERSION, bootId, runApp, waitForLock } from '@bowline/runtime';
import { checkStateFolder } from './adapters/state-folder.ts';
import { updateOrders } from './adapters/update-orders.ts';
import type { UpdaterConfig } from './config.ts';
import { softwareKey, softwareRunning } from './core/software-running.ts';
import { config as validateConfig } from './generated/config.js';

const APP = 'ota-updater';

await runApp<UpdaterConfig>({
  app: APP,
  version: AGENT_VERSION,
  validateConfig,
  start: async ({ config, live, log, clock, ready, signal, restart }) => {
    checkStateFolder(config.stateDir);
    const lock = await waitForLock(join(config.stateDir, 'lock'), { log, signal });
    const hub = await joinHub({
      app: APP,
      version: AGENT_VERSION,
      orderTypes: ['softwareUpdate'],
      config,
      live,
      restart,
      log,
      clock,
      signal,
    });
    takeSignedOrders(hub, log, updateOrders);
    hub.client.handle('cancelOrder', () => ({ outcome: 'too-late' }));
    const software = {
      version: AGENT_VERSION,
      node: process.version,
      kernel: release(),
      platform: process.platform,
      arch: process.arch,
      bootId: bootId(),
    };
    const reporting = reportDurably(
      {
        file: join(config.stateDir, 'reported.json'),
        key: softwareKey(software),
        event: (at) => softwareRunning(software, at),
      },
      { client: hub.client, clock, signal },
    ).then((reported) => log.info({ ...software, reported }, 'software running'));
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
