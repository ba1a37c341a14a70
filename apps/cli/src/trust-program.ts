import { Argument, type Command, type Option } from 'commander';
import type { OperatorsApi } from './adapters/operators-api.ts';
import { wholeNumber } from './arguments.ts';
import type { Context } from './commands/context.ts';
import {
  addTrustKey,
  initTrust,
  publishTrust,
  removeTrustKey,
  rotateRoot,
  setReleaseRoot,
  showTrust,
  signTrust,
  type Role,
} from './commands/fleet-trust.ts';
import { makeKey, showKey, showKeys } from './commands/keys.ts';
import { checkPolicy, showPolicy } from './commands/policy.ts';

interface Parts {
  contextOf: (command: Command) => Context;
  json: () => Option;
}

const many = (text: string, before: string[] = []) => [...before, text];

/** `bowline keys`: the keys by which an operator signs. */
export function addKeys(root: Command, { contextOf, json }: Parts): void {
  const keys = root.command('keys').description('keys by which you sign orders and trust bundles');
  keys
    .command('new')
    .description('makes one, in a file that only you can read')
    .argument('<name>')
    .option('--passphrase', 'encrypt it; asked for, or from BOWLINE_PASSPHRASE')
    .addOption(json())
    .action((name: string, { passphrase = false }: { passphrase?: boolean }, command: Command) =>
      makeKey(contextOf(command), name, passphrase),
    );
  keys
    .command('list', { isDefault: true })
    .description('all of them')
    .addOption(json())
    .action((_, command: Command) => showKeys(contextOf(command)));
  keys
    .command('show')
    .description('the public half, for whoever signs trust bundles')
    .argument('<name>')
    .addOption(json())
    .action((name: string, _, command: Command) => showKey(contextOf(command), name));
}

/** `bowline policy`: what the cloud may ask of this device. */
export function addPolicy(root: Command, { contextOf, json }: Parts): void {
  const policy = root.command('policy').description('what the cloud may ask of this device');
  policy
    .command('check')
    .description('whether the file can be used, and what to mend')
    .argument('[file]', 'the policy of this device if left out')
    .addOption(json())
    .action((file: string | undefined, _, command: Command) => checkPolicy(contextOf(command), file));
  policy
    .command('show', { isDefault: true })
    .description('what is in force')
    .argument('[file]', 'the policy of this device if left out')
    .addOption(json())
    .action((file: string | undefined, _, command: Command) => showPolicy(contextOf(command), file));
}

interface Edit {
  draft: string;
  sign?: string[];
  threshold?: number;
}

/** `bowline fleet trust`: which keys the devices of the fleet believe. */
export function addFleetTrust(
  fleet: Command,
  { contextOf, apiOf, json }: Parts & { apiOf: (command: Command) => OperatorsApi },
): void {
  const trust = fleet.command('trust').description('which keys the devices of the fleet believe');
  const role = () => new Argument('<role>').choices(['command', 'update', 'access', 'root']);
  const editing = (command: Command) =>
    command
      .option('--draft <file>', 'the bundle that is being made', 'trust-draft.json')
      .option('--sign <key>', 'sign it at once; may be repeated', many)
      .option('--threshold <count>', 'root keys that must sign the next one', wholeNumber)
      .addOption(json());
  const optionsOf = ({ draft, sign = [], threshold }: Edit) => ({
    draft,
    sign,
    ...(threshold === undefined ? {} : { threshold }),
  });

  trust
    .command('show', { isDefault: true })
    .description('the bundle of the server, or of a file')
    .argument('[file]')
    .addOption(json())
    .action((file: string | undefined, _, command: Command) =>
      showTrust(contextOf(command), () => apiOf(command), file),
    );
  editing(
    trust
      .command('init')
      .description('the first bundle of a fleet, before its server starts: put it there as trust.json')
      .argument('<roots...>', 'root keys, by name or file'),
  ).action((roots: string[], options: Edit, command: Command) =>
    initTrust(contextOf(command), roots, options.threshold ?? 1, optionsOf(options)),
  );
  editing(
    trust
      .command('add-key')
      .description('the next bundle, with one more key')
      .addArgument(role())
      .argument('<key>', 'by name, or a file: a key, or what bowline keys show printed (.json)'),
  ).action((to: Role, key: string, options: Edit, command: Command) =>
    addTrustKey(contextOf(command), () => apiOf(command), to, key, optionsOf(options)),
  );
  editing(
    trust
      .command('remove-key')
      .description('the next bundle, without a key')
      .addArgument(role())
      .argument('<key>', 'its thumbprint, name or file'),
  ).action((from: Role, key: string, options: Edit, command: Command) =>
    removeTrustKey(contextOf(command), () => apiOf(command), from, key, optionsOf(options)),
  );
  editing(
    trust
      .command('rotate-root')
      .description('the next bundle, with one root key in place of another; both must sign')
      .argument('<old>')
      .argument('<new>'),
  ).action((old: string, next: string, options: Edit, command: Command) =>
    rotateRoot(contextOf(command), () => apiOf(command), [old, next], optionsOf(options)),
  );
  editing(
    trust
      .command('set-release-root')
      .description('the next bundle, naming the repository of releases that devices install from')
      .argument('<file>', 'its first root: REPOSITORY/metadata/1.root.json'),
  ).action((file: string, options: Edit, command: Command) =>
    setReleaseRoot(contextOf(command), () => apiOf(command), file, optionsOf(options)),
  );
  trust
    .command('sign')
    .description('adds signatures to a draft')
    .argument('<file>')
    .argument('<keys...>', 'root keys, by name or file')
    .addOption(json())
    .action((draft: string, sign: string[], _, command: Command) =>
      signTrust(contextOf(command), { draft, sign }),
    );
  trust
    .command('publish')
    .description('gives a draft with all its signatures to the server, which sends it to every device')
    .argument('<file>')
    .addOption(json())
    .action((file: string, _, command: Command) => publishTrust(contextOf(command), apiOf(command), file));
}
