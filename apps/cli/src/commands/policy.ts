import { existsSync } from 'node:fs';
import { PolicyFile, type HeldPolicy } from '@bowline/identity/policy';
import { paint, print, printJson } from '../adapters/terminal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import type { Context } from './context.ts';

const DEVICE_POLICY_FILE = '/etc/bowline/policy.json';

/** The file that is meant: named, else that of the device. */
function policyFile({ installation }: Context, named: string | undefined): string {
  if (named !== undefined) return named;
  try {
    return installation().policyFile ?? DEVICE_POLICY_FILE;
  } catch (error) {
    if (error instanceof CliError && error.code === 'no-installation') return DEVICE_POLICY_FILE;
    throw error;
  }
}

/** `bowline policy check [FILE]`: whether the policy of this device can be used. */
export async function checkPolicy(context: Context, named: string | undefined): Promise<void> {
  const file = policyFile(context, named);
  if (named !== undefined && !existsSync(named)) {
    throw new CliError('file-unreadable', `There is no ${named}.`, { exitCode: EXIT.usage, advice: '' });
  }
  const { fault, source } = await new PolicyFile(file).current();
  if (fault !== undefined) {
    throw new CliError('policy-broken', `The policy cannot be used: ${fault}.`, {
      exitCode: EXIT.notUnderstood,
      advice: 'Until it is mended only ping, listCommands and collectDiagnostics are allowed.',
    });
  }
  if (context.json) printJson({ file, source, ok: true });
  else print(existsSync(file) ? `${file} is good.` : `There is no ${file}: the ${source} is in force.`);
}

/** `bowline policy show`: what is in force, and from where. */
export async function showPolicy(context: Context, named: string | undefined): Promise<void> {
  const held = await new PolicyFile(policyFile(context, named)).current();
  const { policy, source, fault } = held;
  if (context.json) return printJson({ source, ...(fault === undefined ? {} : { fault }), policy });
  print(`In force: the ${source}.`);
  if (fault !== undefined) print(paint('red', `The file is not: ${fault}`));
  for (const line of rulesOf(held)) print(`  ${line}`);
}

function rulesOf({ policy }: HeldPolicy): string[] {
  const commands = Object.entries(policy.commands ?? {}).map(([name, rule]) =>
    [
      `command ${name}`,
      ...(rule.signed === true ? ['signed'] : []),
      ...(rule.params === undefined ? [] : ['params by schema']),
      ...(rule.maxTimeoutMs === undefined ? [] : [`at most ${rule.maxTimeoutMs} ms`]),
      ...(rule.users === undefined ? [] : [`as ${rule.users.join(', ')}`]),
    ].join(', '),
  );
  const channels = policy.updates?.channels ?? [];
  const { users = [], maxSeconds, capabilities = [] } = policy.ssh ?? {};
  return [
    ...commands,
    `updates from ${channels.join(', ') || 'no channel'}`,
    users.length === 0
      ? 'ssh for nobody'
      : `ssh as ${users.join(', ')}, at most ${maxSeconds} s, with ${capabilities.join(', ') || 'nothing more'}`,
  ];
}
