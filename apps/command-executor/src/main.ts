import { join } from 'node:path';
import { OrderGate } from '@bowline/identity';
import { watchPolicy } from '@bowline/identity/policy';
import { connectHub, reportOrder, serveConfig } from '@bowline/ipc';
import { AGENT_VERSION, runApp, ServerClock, waitForLock } from '@bowline/runtime';
import { admitOrder } from './adapters/admit-order.ts';
import { commandPolicy } from './adapters/command-policy.ts';
import { deviceFacts } from './adapters/device-facts.ts';
import { BUILT_IN } from './commands/built-in.ts';
import type { ExecutorConfig } from './config.ts';
import { CommandExecutor } from './core/command-executor.ts';
import { config as validateConfig } from './generated/config.js';

const APP = 'command-executor';

await runApp<ExecutorConfig>({
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
      orderTypes: ['command'],
      idempotent: BUILT_IN.filter(({ idempotent }) => idempotent).map(({ name }) => name),
      log,
      clock,
    });
    serveConfig(client, live, restart);
    const serverClock = new ServerClock(clock);
    const { stateDir, trustAnchorFile } = config;
    const gate = new OrderGate({ stateDir, trustAnchorFile, serverClock, hub: client, clock, log });
    const readPolicy = await watchPolicy(config.policyFile, { hub: client, clock, log });
    const executor = new CommandExecutor({
      commands: BUILT_IN,
      readPolicy: async () => commandPolicy(await readPolicy()),
      record: gate.spent,
      report: (report, until) => reportOrder(client, clock, report, until),
      clock,
      serverClock,
      log,
      device: deviceFacts(AGENT_VERSION),
      get limits() {
        return live.current;
      },
    });
    const heard = ({ serverTime }: { serverTime?: number }) => {
      if (serverTime === undefined) return;
      serverClock.told(serverTime);
      executor.serverTimeKnown();
    };
    client.onRegistered(heard);
    client.onNotification('link', heard);
    client.handle('order', async (order) => {
      heard(order);
      executor.take(await admitOrder(order, gate));
      return {};
    });
    client.handle('cancelOrder', ({ orderId }) => ({ outcome: executor.cancel(orderId) }));
    ready();

    return {
      stop: async () => {
        await executor.stop(live.current.stopGraceMs);
        client.close();
        gate.close();
        lock.release();
      },
    };
  },
});
