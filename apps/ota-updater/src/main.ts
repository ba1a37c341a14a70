import { join } from 'node:path';
import { joinHub, takeSignedOrders } from '@bowline/device-app';
import { AGENT_VERSION, runApp, waitForLock } from '@bowline/runtime';
import { answerBundles } from './adapters/bundle-requests.ts';
import { installedReleases } from './adapters/installed-releases.ts';
import { answerCancels } from './adapters/cancel-requests.ts';
import { checkStateFolder } from './adapters/state-folder.ts';
import { reportSoftware } from './adapters/report-software.ts';
import { startOtaCheck } from './adapters/start-ota-check.ts';
import { takeBundle } from './adapters/take-bundle.ts';
import { updateOrders } from './adapters/update-orders.ts';
import type { UpdaterConfig } from './config.ts';
import type { Ledger } from './core/ledger.ts';
import { openEngine } from './engine/open-engine.ts';
import { config as validateConfig } from './generated/config.js';
import { openReleaseSources } from './supply/release-sources.ts';

const APP = 'ota-updater';

await runApp<UpdaterConfig>({
  app: APP,
  version: AGENT_VERSION,
  validateConfig,
  start: async ({ config, live, log, clock, ready, signal, restart }) => {
    checkStateFolder(config.stateDir);
    let calmly = (act: () => void) => act();
    const lock = await waitForLock(join(config.stateDir, 'lock'), { log, signal });
    const hub = await joinHub({
      app: APP,
      version: AGENT_VERSION,
      orderTypes: ['softwareUpdate'],
      config,
      live,
      restart: (reason) => calmly(() => restart(reason)),
      log,
      clock,
      signal,
    });
    const way = hub.wayOut(config.supply, 'supply.');
    const { gate, serverClock } = hub;
    const openSources = (known: Ledger) => {
      const installed = installedReleases(known, config.releasesDir);
      return openReleaseSources({ config, gate, serverClock, installed, way, clock });
    };
    const opened = await openEngine({ config, hub, openSources, way, log, clock, signal });
    const { engine, ledger, sources } = opened;
    calmly = (act) => engine.whenCalm(act);
    const check = startOtaCheck({ config, hub, ledger, source: sources.server, log, clock, signal });
    const bundles = answerBundles({
      folder: join(config.stateDir, 'bundles'),
      take: (request) => takeBundle(request, { hub, engine, sources, log, clock, signal }),
      log,
      nowMs: () => clock.wallMs(),
    });
    const cancels = answerCancels({
      folder: join(config.stateDir, 'cancel'),
      cancel: (orderId) => engine.cancel(orderId),
      log,
    });
    takeSignedOrders(hub, log, updateOrders(engine, hub, log));
    hub.client.handle('cancelOrder', ({ orderId }) => ({ outcome: engine.cancel(orderId) }));
    const reporting = reportSoftware(config, { hub, log, clock, signal });
    hub.onHeard(() => engine.wake());
    ready();

    return {
      stop: async () => {
        await reporting;
        await check.stop();
        cancels.close();
        await bundles.close();
        await opened.close();
        hub.close();
        lock.release();
      },
    };
  },
});
