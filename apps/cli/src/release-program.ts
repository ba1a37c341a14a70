import { Argument, InvalidArgumentError, type Command, type Option } from 'commander';
import type { Role } from '@bowline/releases/publisher';
import { wholeNumber } from './arguments.ts';
import type { Context } from './commands/context.ts';
import {
  buildRelease,
  bundleRelease,
  initReleases,
  publishReleases,
  renew,
  rotateKey,
  showReleases,
  signReleases,
  withdraw,
} from './commands/release.ts';

interface Parts {
  contextOf: (command: Command) => Context;
  json: () => Option;
}

interface InitOptions {
  key?: string[];
  root?: string[];
  targets?: string[];
  online?: string[];
  rootThreshold: number;
  targetsThreshold: number;
  sign?: string[];
}

interface BuildOptions {
  repo: string;
  name: string;
  release: string;
  channel: string;
  kind: string;
  minSecureVersion?: string;
  allowDowngrade?: boolean;
  probe?: string[];
  probeHttp?: string;
  notes?: string;
  sign?: string[];
}

const many = (text: string, before: string[] = []) => [...before, text];
/** Which roles a key that is rotated has. */
const ROLES_OF: Record<string, Role[]> = {
  root: ['root'],
  targets: ['targets'],
  online: ['snapshot', 'timestamp'],
};

/** `bowline release`: makes, signs and publishes what devices install. */
export function addRelease(root: Command, { contextOf, json }: Parts): void {
  const release = root.command('release').description('makes, signs and publishes what devices install');
  const signing = (command: Command) =>
    command
      .option('--sign <key>', 'sign with this key: a name, a file, or exec:PROGRAM; may be repeated', many)
      .addOption(json());
  const repository = () => new Argument('<repository>', 'the folder that a static file server serves');

  signing(
    release
      .command('init')
      .description('a new repository; each key by name, file, exec:PROGRAM, or the public half in a .json')
      .addArgument(repository())
      .option('--key <key>', 'for every role that no other key is named for', many)
      .option('--root <key>', 'signs who may sign; keep it offline', many)
      .option('--targets <key>', 'signs releases', many)
      .option('--online <key>', 'signs what is newest, at each publish', many)
      .option('--root-threshold <count>', 'root keys that must sign', wholeNumber, 1)
      .option('--targets-threshold <count>', 'keys that must sign a release', wholeNumber, 1),
  ).action((folder: string, options: InitOptions, command: Command) => {
    const {
      key = [],
      root: rootKeys = key,
      targets = key,
      online = key,
      rootThreshold,
      targetsThreshold,
    } = options;
    if ([rootKeys, targets, online].some(({ length }) => length === 0))
      throw new InvalidArgumentError(
        'Name keys for root, targets and online, or one for all of them with --key.',
      );
    return initReleases(contextOf(command), folder, {
      keys: { root: rootKeys, targets, online },
      thresholds: { root: rootThreshold, targets: targetsThreshold },
      sign: options.sign ?? [],
    });
  });

  signing(
    release
      .command('build')
      .description('a release of everything in a folder')
      .argument('<folder>')
      .requiredOption('--repo <repository>', 'where it goes')
      .requiredOption('--name <name>', 'of the program')
      .requiredOption('--release <version>', 'semantic version, e.g. 1.4.0')
      .option('--channel <name>', 'who may get it', 'stable')
      .option('--kind <kind>', 'app, self or module:TYPE', 'app')
      .option('--min-secure-version <version>', 'devices that had this one never go below that')
      .option('--allow-downgrade', 'it may take the place of a newer version, if the order says so too')
      .option('--probe <word>', 'command that asks whether it is well, word by word; may be repeated', many)
      .option('--probe-http <url>', 'on loopback: well if it answers 2xx')
      .option('--notes <text>', 'for people'),
  ).action((folder: string, options: BuildOptions, command: Command) => {
    const {
      repo,
      name,
      release: version,
      channel,
      kind,
      minSecureVersion,
      allowDowngrade,
      probe,
      probeHttp,
      notes,
    } = options;
    const probes = { ...(probe && { command: probe }), ...(probeHttp !== undefined && { http: probeHttp }) };
    return buildRelease(contextOf(command), folder, {
      repository: repo,
      manifest: {
        kind,
        name,
        version,
        channel,
        ...(minSecureVersion !== undefined && { minSecureVersion }),
        ...(allowDowngrade === true && { allowDowngrade }),
        ...(Object.keys(probes).length > 0 && { probe: probes }),
        ...(notes !== undefined && { notes }),
      },
      sign: options.sign ?? [],
    });
  });

  const simple = { sign: signReleases, publish: publishReleases };
  const says = {
    sign: 'adds signatures to what is not published yet',
    publish: 'puts what has its signatures in place, with a new timestamp; run it before that expires',
  };
  for (const name of ['sign', 'publish'] as const)
    signing(release.command(name).description(says[name]).addArgument(repository())).action(
      (folder: string, { sign = [] }: { sign?: string[] }, command: Command) =>
        simple[name](contextOf(command), folder, { sign }),
    );
  release
    .command('show')
    .description('versions, expiry, releases, and what is not published yet')
    .addArgument(repository())
    .addOption(json())
    .action((folder: string, _, command: Command) => showReleases(contextOf(command), folder));
  signing(
    release
      .command('withdraw')
      .description('takes a release back: no device installs it any more')
      .addArgument(repository())
      .argument('<name>')
      .argument('<version>'),
  ).action(
    (folder: string, name: string, version: string, { sign = [] }: { sign?: string[] }, command: Command) =>
      withdraw(contextOf(command), folder, name, version, { sign }),
  );
  signing(
    release
      .command('rotate')
      .description('one key takes the place of another; for root both must sign')
      .addArgument(repository())
      .addArgument(new Argument('<role>').choices(Object.keys(ROLES_OF)))
      .argument('<old>')
      .argument('<new>'),
  ).action(
    (
      folder: string,
      role: string,
      old: string,
      next: string,
      { sign = [] }: { sign?: string[] },
      command: Command,
    ) => rotateKey(contextOf(command), folder, ROLES_OF[role] ?? [], [old, next], { sign }),
  );
  signing(
    release
      .command('renew')
      .description('the same with a later expiry')
      .addArgument(repository())
      .addArgument(new Argument('<role>').choices(['root', 'targets'])),
  ).action((folder: string, role: 'root' | 'targets', { sign = [] }: { sign?: string[] }, command: Command) =>
    renew(contextOf(command), folder, role, { sign }),
  );
  release
    .command('bundle')
    .description('one file with a published release, for a device without a network')
    .addArgument(repository())
    .argument('<name>')
    .argument('<version>')
    .argument('<file>', 'the tar file to be made')
    .option('--order <file>', 'a signed order that goes with it')
    .addOption(json())
    .action(
      (
        folder: string,
        name: string,
        version: string,
        file: string,
        { order }: { order?: string },
        command: Command,
      ) =>
        bundleRelease(contextOf(command), folder, {
          name,
          version,
          file,
          ...(order !== undefined && { order }),
        }),
    );
}
