import { join } from 'node:path';
import { OrderGate } from '@bowline/identity';
import { watchPolicy } from '@bowline/identity/policy';
import { connectHub, reportOrder, serveConfig } from '@bowline/ipc';
import { AGENT_VERSION, runApp, ServerClock, waitForLock } from '@bowline/runtime';
import { admitOrder } from './adapters/admit-order.ts';
import { commandPolicy } from './adapters/command-policy.ts';
import { CommandRegistry } from './adapters/command-registry.ts';
import { deviceFacts } from './adapters/device-facts.ts';
import { machineOf } from './adapters/machine.ts';
import { noteFile } from './adapters/note-file.ts';
import { PlugInFolder } from './adapters/plug-ins/plug-in-folder.ts';
import { openPrograms } from './adapters/programs/open-programs.ts';
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
    const { stateDir, trustAnchorFile } = config;
    const lock = await waitForLock(join(stateDir, 'lock'), { log, signal });
    const { programs, records } = await openPrograms(config, log);
    const plugIns = new PlugInFolder({ config, programs });
    await plugIns.read();
    const client = connectHub({
      folder: config.hubFolder,
      owner: config.hubOwner,
      app: APP,
      version: AGENT_VERSION,
      orderTypes: ['command'],
      idempotent: () => commands.idempotent(),
      log,
      clock,
    });
    serveConfig(client, live, restart);
    const commands: CommandRegistry = new CommandRegistry({
      builtIn: BUILT_IN,
      readPlugIns: () => plugIns.read(),
      lookEveryMs: config.lookEveryMs,
      ports: { hub: client, clock, log },
    });
    void commands.start();
    const serverClock = new ServerClock(clock);
    const gate = new OrderGate({ stateDir, trustAnchorFile, serverClock, hub: client, clock, log });
    const readPolicy = await watchPolicy(config.policyFile, { hub: client, clock, log });
    const executor = new CommandExecutor({
      commands,
      readPolicy: async () => commandPolicy(await readPolicy()),
      record: gate.spent,
      notes: noteFile(stateDir),
      orphan: (orderId) => records.orphan(orderId),
      report: (report, until) => reportOrder(client, clock, report, until),
      progress: (orderId, progress) => void client.notify('progress', { orderId, ...progress }),
      clock,
      serverClock,
      log,
      device: deviceFacts(AGENT_VERSION, clock, serverClock),
      machine: machineOf({ config, programs, hub: client, log, clock }),
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
        commands.stop();
        await executor.stop(live.current.stopGraceMs);
        client.close();
        gate.close();
        lock.release();
      },
    };
  },
});
