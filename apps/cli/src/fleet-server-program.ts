import type { Command } from 'commander';
import { fleetServer, listBackups, makeBackup } from './commands/fleet-server.ts';
import type { FleetCommands } from './fleet-enrolment-program.ts';

/** `bowline fleet server|backups`: the server itself. */
export function addFleetServer(fleet: Command, { contextOf, apiOf, json }: FleetCommands): void {
  fleet
    .command('server')
    .description('the server itself: its id, its store, and what befell that')
    .addOption(json())
    .action((_, command: Command) => fleetServer(contextOf(command), apiOf(command)));
  const backups = fleet.command('backups').description("copies of the server's whole state: list, make");
  backups
    .command('list', { isDefault: true })
    .description('all that the server keeps, newest first')
    .addOption(json())
    .action((_, command: Command) => listBackups(contextOf(command), apiOf(command)));
  backups
    .command('make')
    .description('one more, while the server goes on')
    .addOption(json())
    .action((_, command: Command) => makeBackup(contextOf(command), apiOf(command)));
}
