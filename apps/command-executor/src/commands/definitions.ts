import type { CommandDefinition } from '../core/command.ts';
import { collectDiagnostics } from './collect-diagnostics.ts';
import { listCommands } from './list-commands.ts';
import { ping } from './ping.ts';
import { reboot, shutdown } from './restart-machine.ts';
import { restartApp } from './restart-app.ts';
import { runScript } from './run-script.ts';
import { setLogLevel } from './set-log-level.ts';

/** What comes with Bowline, as it is written down: params are what each one's own schema says. */
export const DEFINITIONS: readonly CommandDefinition<never>[] = [
  ping,
  listCommands,
  collectDiagnostics,
  reboot,
  shutdown,
  restartApp,
  setLogLevel,
  runScript,
];
