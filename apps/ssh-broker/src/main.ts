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
import { findSshd } from './adapters/find-sshd.ts';
import { judgeOrder } from './adapters/judge-order.ts';
import { wipeLeftovers } from './adapters/run-folder.ts';
import type { BrokerConfig } from './config.ts';
import { readinessKey, sshReady } from './core/ssh-ready.ts';
import { config as validateConfig } from './generated/config.js';

const APP = 'ssh-broker';

await runApp<BrokerConfig>({
  app: APP,
  version: AGENT_VERSION,
  validateConfig,
  start: async ({ config, log, clock, ready, signal }) => {
    const lock = await waitForLock(join(config.stateDir, 'lock'), { log, signal });
    const leftovers = wipeLeftovers(config.runFolder ?? join(config.stateDir, 'run'));
    if (leftovers.length > 0) log.warn({ leftovers }, 'leftovers of sessions removed');
    const found = await findSshd(config.sshdPath);

    const client = connectHub({
      folder: config.hubFolder,
      owner: config.hubOwner,
      app: APP,
      version: AGENT_VERSION,
      orderTypes: ['sshAccess'],
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
    const readiness = { version: AGENT_VERSION, bootId: bootId(), ...found };
    const report = (id: string) => {
      const sentAt = Math.round(clock.wallMs());
      const payload = sshReady(readiness, sentAt);
      return retry(() => client.enqueue([{ id, type: 'event', sentAt, payload }], { signal }), {
        clock,
        signal,
      });
    };
    const reporting = onceDurably(
      join(config.stateDir, 'reported.json'),
      readinessKey(readiness),
      newId,
      report,
    )
      .then((now) => log.info({ ...readiness, reported: now }, 'ssh ready'))
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
