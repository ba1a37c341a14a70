import { release } from 'node:os';
import { join } from 'node:path';
import { joinHub, reportDurably, takeSignedOrders } from '@bowline/device-app';
import { AGENT_VERSION, bootId, runApp, waitForLock } from '@bowline/runtime';
import { installedReleases } from './adapters/installed-releases.ts';
import { checkStateFolder } from './adapters/state-folder.ts';
import { updateOrders } from './adapters/update-orders.ts';
import type { UpdaterConfig } from './config.ts';
import { softwareKey, softwareRunning } from './core/software-running.ts';
import type { Journal } from './engine/journal.ts';
import { openEngine } from './engine/open-engine.ts';
import { config as validateConfig } from './generated/config.js';
import { noSource } from './supply/no-source.ts';
import { openReleaseSource } from './supply/open-release-source.ts';

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
    const openSource = ({ ledger }: Journal) =>
      config.supply.mirrors.length === 0
        ? noSource
        : openReleaseSource({
            config,
            gate: hub.gate,
            serverClock: hub.serverClock,
            installed: installedReleases(ledger, config.releasesDir),
            clock,
          });
    const { engine, close } = await openEngine({ config, hub, openSource, log, clock, signal });
    takeSignedOrders(hub, log, updateOrders(engine, hub, log));
    hub.client.handle('cancelOrder', ({ orderId }) => ({ outcome: engine.cancel(orderId) }));
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
    hub.onHeard(() => engine.wake());
    ready();

    return {
      stop: async () => {
        await reporting;
        await close();
        hub.close();
        lock.release();
      },
    };
  },
});
