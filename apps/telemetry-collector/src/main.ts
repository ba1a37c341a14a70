import { join } from 'node:path';
import { connectHub, serveConfig } from '@bowline/ipc';
import { AGENT_VERSION, runApp, ServerClock, waitForLock } from '@bowline/runtime';
import type { CollectorConfig } from './config.ts';
import { config as validateConfig } from './generated/config.js';
import { startHistory } from './history/start-history.ts';
import { startTelemetry } from './telemetry.ts';

const APP = 'telemetry-collector';

await runApp<CollectorConfig>({
  app: APP,
  version: AGENT_VERSION,
  validateConfig,
  start: async ({ config, live, log, clock, ready, signal, restart }) => {
    const lock = await waitForLock(join(config.stateDir, 'lock'), { log, signal });
    const client = connectHub({
      folder: config.hubFolder,
      owner: config.hubOwner,
      app: APP,
      version: AGENT_VERSION,
      orderTypes: config.history.enabled ? ['historyRequest'] : [],
      log,
      clock,
    });
    const serverClock = new ServerClock(clock);
    const heard = ({ serverTime }: { serverTime?: number }) => {
      if (serverTime !== undefined) serverClock.told(serverTime);
    };
    const history = config.history.enabled
      ? startHistory({
          config,
          client,
          serverClock,
          handBack: (samples) => telemetry.handBack(samples),
          clock,
          log,
        })
      : undefined;
    client.onRegistered((hub) => {
      heard(hub);
      history?.linkIs(hub.link);
    });
    client.onNotification('link', (link) => {
      heard(link);
      history?.linkIs(link.state);
    });

    const sinks = history === undefined ? [] : [history.sink];
    const telemetry = await startTelemetry({ config, client, serverClock, sinks, clock, log });
    live.onChange(async (now) => {
      history?.reconfigure(now);
      await telemetry.reconfigure(now);
    });
    serveConfig(client, live, restart);
    ready();

    return {
      stop: async () => {
        const totals = await telemetry.stop(AbortSignal.timeout(live.current.stopGraceMs));
        await history?.stop();
        log[totals.lost > 0 ? 'warn' : 'info'](totals, 'stopped sampling');
        client.close();
        lock.release();
      },
    };
  },
});
