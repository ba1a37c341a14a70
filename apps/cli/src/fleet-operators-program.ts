import { Option, type Command } from 'commander';
import { ROLES, type AuditMark, type Role } from '@bowline/messages';
import { chainMark, duration, wholeNumber, withoutUndefined } from './arguments.ts';
import { fleetAudit, verifyAudit } from './commands/fleet-audit.ts';
import { addOperator, addOperatorToken, listOperators, revokeOperator } from './commands/fleet-operators.ts';
import type { FleetCommands } from './fleet-enrolment-program.ts';

/** `bowline fleet operators|audit`: who may act, and what they did. */
export function addFleetOperators(fleet: Command, { contextOf, apiOf, json }: FleetCommands): void {
  const operators = fleet.command('operators').description('who may act: list, add, token, revoke');
  const expires = () => new Option('--expires <duration>', 'default never').argParser(duration);
  const label = () => new Option('--label <text>', 'where the token is used');
  operators
    .command('list', { isDefault: true })
    .description('operators, their roles and tokens')
    .addOption(json())
    .action((_, command: Command) => listOperators(contextOf(command), apiOf(command)));
  operators
    .command('add')
    .description('makes an operator and prints the token, this once')
    .argument('<name>', 'letters, digits, . _ @ -')
    .addOption(new Option('--role <role>', 'what they may do').choices(ROLES).default('viewer'))
    .addOption(label())
    .addOption(expires())
    .addOption(json())
    .action((name: string, options: { role: Role; label?: string; expires?: number }, command: Command) => {
      const { role, label: labelled, expires: expiresInMs } = options;
      const wanted = { role, ...withoutUndefined({ label: labelled, expiresInMs }) };
      return addOperator(contextOf(command), apiOf(command), name, wanted);
    });
  operators
    .command('token')
    .description('makes one more token for an operator and prints it, this once')
    .argument('<name>', 'of the operator')
    .addOption(label())
    .addOption(expires())
    .addOption(json())
    .action((name: string, options: { label?: string; expires?: number }, command: Command) => {
      const wanted = withoutUndefined({ label: options.label, expiresInMs: options.expires });
      return addOperatorToken(contextOf(command), apiOf(command), name, wanted);
    });
  operators
    .command('revoke')
    .description('ends all tokens and sessions of an operator at once, or one token')
    .argument('<name>', 'of the operator')
    .option('--token <id>', 'this one alone')
    .addOption(json())
    .action((name: string, { token }: { token?: string }, command: Command) =>
      revokeOperator(contextOf(command), apiOf(command), name, token),
    );

  fleet
    .command('audit')
    .description('what operators did, newest first')
    .option('-n, --lines <count>', 'how many calls', wholeNumber, 20)
    .option('--verify', 'follow the whole chain of hashes instead')
    .option('--noted <seq:hash>', 'with --verify: what an earlier one said must still be there', chainMark)
    .addOption(json())
    .action((options: { lines: number; verify?: boolean; noted?: AuditMark }, command: Command) =>
      options.verify === true || options.noted !== undefined
        ? verifyAudit(contextOf(command), apiOf(command), options.noted)
        : fleetAudit(contextOf(command), apiOf(command), options.lines),
    );
}
