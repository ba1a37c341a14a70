import { join } from 'node:path';
import { joinHub } from '@bowline/device-app';
import { reportOrder } from '@bowline/ipc';
import { AGENT_VERSION, runApp, waitForLock } from '@bowline/runtime';
import { admitOrder } from './adapters/admit-order.ts';
import { commandPolicy } from './adapters/command-policy.ts';
import { deviceFacts } from './adapters/device-facts.ts';
import { machineOf } from './adapters/machine.ts';
import { noteFile } from './adapters/note-file.ts';
import { openPrograms } from './adapters/programs/open-programs.ts';
import type { ExecutorConfig } from './config.ts';
import { CommandExecutor } from './core/command-executor.ts';
import { config as validateConfig } from './generated/config.js';
import { openCommands } from './open-commands.ts';

const APP = 'command-executor';

await runApp<ExecutorConfig>({
  app: APP,
  version: AGENT_VERSION,
  validateConfig,
  start: async ({ config, live, log, clock, ready, signal, restart }) => {
    const lock = await waitForLock(join(config.stateDir, 'lock'), { log, signal });
    const { programs, records } = await openPrograms(config, log);
    const commands = await openCommands({ config, programs, clock, log });
    const hub = await joinHub({
      app: APP,
      version: AGENT_VERSION,
      orderTypes: ['command'],
      idempotent: () => commands.registry.idempotent(),
      config,
      live,
      restart,
      log,
      clock,
      signal,
    });
    const { client, gate, serverClock } = hub;
    const readPolicy = async () => commandPolicy(await hub.readPolicy());
    const executor = new CommandExecutor({
      commands: commands.registry,
      readPolicy,
      record: gate.spent,
      notes: noteFile(config.stateDir),
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
    commands.start({ hub: client, clock, log, readPolicy, changed: () => executor.commandsChanged() });
    hub.onHeard(() => executor.serverTimeKnown());
    client.handle('order', async (order) => {
      hub.heard(order);
      executor.take(await admitOrder(order, gate));
      return {};
    });
    client.handle('cancelOrder', ({ orderId }) => ({ outcome: executor.cancel(orderId) }));
    ready();

    return {
      stop: async () => {
        commands.stop();
        await executor.stop(live.current.stopGraceMs);
        commands.close();
        hub.close();
        lock.release();
      },
    };
  },
});
