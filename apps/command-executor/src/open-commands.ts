import { extname, join } from 'node:path';
import { reportEvent } from '@bowline/identity';
import { wait, type Clock, type Logger } from '@bowline/runtime';
import { CommandRegistry, type RegistryPorts } from './adapters/command-registry.ts';
import { CommandSocket } from './adapters/local-programs/command-socket.ts';
import { KnownCommands } from './adapters/local-programs/known-commands.ts';
import { LocalPrograms } from './adapters/local-programs/local-programs.ts';
import { ModuleFolder } from './adapters/modules/module-folder.ts';
import { PlugInFolder } from './adapters/plug-ins/plug-in-folder.ts';
import type { Programs } from './adapters/programs/run-program.ts';
import { BUILT_IN } from './commands/built-in.ts';
import type { ExecutorConfig } from './config.ts';
import type { CommandPolicy } from './core/policy.ts';

/** It lies beside this file as a source, and beside the bundle. */
const THREAD = new URL(`module-thread${extname(import.meta.url)}`, import.meta.url);

/** Most modules are loaded by then. */
const LOADED_SOON_MS = 1000;

export interface CommandPorts extends RegistryPorts {
  readPolicy(): Promise<CommandPolicy>;
  /** Orders that wait for a command may go on. */
  changed(): void;
}

export interface OpenCommands {
  registry: CommandRegistry;
  /** From now on changes are told, and programs may come. */
  start(ports: CommandPorts): void;
  /** Nothing new comes; what runs goes on. */
  stop(): void;
  /** After the last order. */
  close(): void;
}

/** Everything that commands come from: with Bowline, from folders, from programs that run here. */
export async function openCommands({
  config,
  programs,
  clock,
  log,
}: {
  config: ExecutorConfig;
  programs: Programs;
  clock: Clock;
  log: Logger;
}): Promise<OpenCommands> {
  const plugIns = new PlugInFolder({ config, programs });
  let changed = (): void => undefined;
  const modules: ModuleFolder = new ModuleFolder({
    config,
    thread: THREAD,
    clock,
    log,
    loaded: () => void registry.refresh().then(() => changed()),
  });
  const known = new KnownCommands(join(config.stateDir, 'programs.json'));
  const local = new LocalPrograms({
    limits: { ...config.commandSocket, maxRuns: config.maxRuns },
    known,
    clock,
    log,
  });
  await local.remember();
  const registry: CommandRegistry = new CommandRegistry({
    builtIn: BUILT_IN,
    sources: [() => plugIns.read(), () => modules.read(), () => ({ commands: local.commands(), broken: [] })],
    loading: modules,
    lookEveryMs: config.lookEveryMs,
  });
  await registry.refresh();
  // The gateway best hears at once which commands may run again; one that does not come to an end is not waited for.
  await Promise.race([modules.settled(), wait(clock, LOADED_SOON_MS)]);
  await registry.refresh();
  let socket: CommandSocket | undefined;
  return {
    registry,
    start: (ports) => {
      changed = ports.changed;
      void registry.start(ports);
      local.start({
        readPolicy: () => ports.readPolicy(),
        all: () => registry.all(),
        changed: async () => {
          await registry.refresh();
          ports.changed();
        },
      });
      socket = new CommandSocket({
        config: config.commandSocket,
        take: (each) => local.take(each),
        report: (why) => reportEvent(ports, 'command-socket-unusable', 'error', { why }),
        clock,
        log,
      });
      void socket.open();
    },
    stop: () => {
      registry.stop();
      socket?.close();
    },
    close: () => {
      local.close();
      modules.close();
    },
  };
}
