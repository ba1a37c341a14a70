import { command, type Command } from '../core/command.ts';
import * as params from '../generated/commands.js';
import { collectDiagnostics } from './collect-diagnostics.ts';
import { listCommands } from './list-commands.ts';
import { ping } from './ping.ts';

/** Every command that comes with Bowline, by the name under which an order asks for it. */
export const BUILT_IN: readonly Command[] = [
  command(ping, params.ping),
  command(listCommands, params.listCommands),
  command(collectDiagnostics, params.collectDiagnostics),
];
