import { join } from 'node:path';
import { connectHub } from '@bowline/ipc';
import { AGENT_VERSION, runApp, ServerClock, waitForLock } from '@bowline/runtime';
import { v7 as newId } from 'uuid';
import { deviceMoment } from './adapters/device-moment.ts';
import { systemSources } from './adapters/system-sources.ts';
import type { CollectorConfig } from './config.ts';
import { Collector } from './core/collector.ts';
import { HandOver } from './core/hand-over.ts';
import { SampleBuffer } from './core/sample-buffer.ts';
import { config as validateConfig } from './generated/config.js';

const APP = 'telemetry-collector';

await runApp<CollectorConfig>({
  app: APP,
  version: AGENT_VERSION,
  validateConfig,
  start: async ({ config, log, clock, ready, signal }) => {
    const lock = await waitForLock(join(config.stateDir, 'lock'), { log, signal });
    const client = connectHub({
      folder: config.hubFolder,
      owner: config.hubOwner,
      app: APP,
      version: AGENT_VERSION,
      orderTypes: [],
      log,
      clock,
    });
    const serverClock = new ServerClock(clock);
    const heard = ({ serverTime }: { serverTime?: number }) => {
      if (serverTime !== undefined) serverClock.told(serverTime);
    };
    client.onRegistered(heard);
    client.onNotification('link', heard);

    const buffer = new SampleBuffer(config.telemetry.bufferSamples);
    const handOver = new HandOver({
      buffer,
      enqueue: (messages, until) => client.enqueue(messages, { signal: until }),
      newId: () => newId(),
      clock,
      log,
      limits: config.telemetry,
      random: Math.random,
    });
    const sources = await systemSources(config);
    const moment = deviceMoment(clock, { serverClock, ...config });
    const collector = new Collector({ sources, buffer, handOver, clock, moment, log });
    ready();

    return {
      stop: async () => {
        collector.stop();
        const lost = await handOver.stop(AbortSignal.timeout(config.stopGraceMs));
        const { added: sampled, givenUp } = buffer.totals;
        log[lost > 0 ? 'warn' : 'info']({ sampled, givenUp, lost }, 'stopped sampling');
        client.close();
        lock.release();
      },
    };
  },
});
