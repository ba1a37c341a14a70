import { release } from 'node:os';
import { join } from 'node:path';
import { OrderGate } from '@bowline/identity';
import { watchPolicy } from '@bowline/identity/policy';
import { connectHub, reportOrder } from '@bowline/ipc';
import {
  AGENT_VERSION,
  bootId,
  onceDurably,
  retry,
  runApp,
  ServerClock,
  waitForLock,
} from '@bowline/runtime';
import { CancelledError } from '@bowline/runtime/errors';
import { v7 as newId } from 'uuid';
import { judgeOrder } from './adapters/judge-order.ts';
import { checkStateFolder } from './adapters/state-folder.ts';
import type { UpdaterConfig } from './config.ts';
import { softwareKey, softwareRunning } from './core/software-running.ts';
import { config as validateConfig } from './generated/config.js';

const APP = 'ota-updater';

await runApp<UpdaterConfig>({
  app: APP,
  version: AGENT_VERSION,
  validateConfig,
  start: async ({ config, log, clock, ready, signal }) => {
    checkStateFolder(config.stateDir);
    const lock = await waitForLock(join(config.stateDir, 'lock'), { log, signal });
    const client = connectHub({
      folder: config.hubFolder,
      owner: config.hubOwner,
      app: APP,
      version: AGENT_VERSION,
      orderTypes: ['softwareUpdate'],
      log,
      clock,
    });
    const serverClock = new ServerClock(clock);
    const { stateDir, trustAnchorFile } = config;
    const gate = new OrderGate({ stateDir, trustAnchorFile, serverClock, hub: client, clock, log });
    const readPolicy = await watchPolicy(config.policyFile, { hub: client, clock, log });
    const heard = ({ serverTime }: { serverTime?: number }) => {
      if (serverTime !== undefined) serverClock.told(serverTime);
    };
    client.onRegistered(heard);
    client.onNotification('link', heard);
    client.handle('order', async (order) => {
      heard(order);
      const error = await judgeOrder(order, gate, readPolicy);
      const { orderId } = order;
      log.warn({ orderId, ...error }, 'order rejected');
      const at = Math.round(clock.wallMs());
      reportOrder(client, clock, { orderId, status: 'rejected', at, error }, signal).catch((cause: unknown) =>
        log.warn(
          { orderId, error: cause },
          'the gateway did not take the report: it offers the order at the next start',
        ),
      );
      return {};
    });
    client.handle('cancelOrder', () => ({ outcome: 'too-late' }));
    const software = {
      version: AGENT_VERSION,
      node: process.version,
      kernel: release(),
      platform: process.platform,
      arch: process.arch,
      bootId: bootId(),
    };
    const report = (id: string) => {
      const sentAt = Math.round(clock.wallMs());
      const payload = softwareRunning(software, sentAt);
      return retry(() => client.enqueue([{ id, type: 'event', sentAt, payload }], { signal }), {
        clock,
        signal,
      });
    };
    const reporting = onceDurably(
      join(config.stateDir, 'reported.json'),
      softwareKey(software),
      newId,
      report,
    )
      .then((now) => log.info({ ...software, reported: now }, 'software running'))
      .catch((error: unknown) => {
        if (!(error instanceof CancelledError)) throw error;
      });
    ready();

    return {
      stop: async () => {
        await reporting;
        client.close();
        gate.close();
        lock.release();
      },
    };
  },
});
