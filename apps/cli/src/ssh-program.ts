import { userInfo } from 'node:os';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { DeviceAuthority } from './adapters/certified-devices.ts';
import { LONGEST_SIGNED_SECONDS } from '@bowline/identity';
import type { AuditMark } from '@bowline/messages';
import { chainMark, duration, wholeNumber } from './arguments.ts';
import { listSshSessions, endSshSession } from './commands/fleet-ssh.ts';
import { sshAudit } from './commands/ssh-audit.ts';
import { ssh, type SshOptions } from './commands/ssh.ts';
import { CliError, EXIT } from './core/cli-error.ts';
import { deviceIn, NO_REASON, type SshWish } from './core/ssh-wish.ts';
import type { FleetCommands } from './fleet-enrolment-program.ts';

interface Given {
  for: number;
  idle: number;
  user?: string;
  reason: string;
  sign?: string;
  signer?: string;
  streams: number;
  record?: boolean;
  deviceKey?: string;
  deviceCa?: string;
  deviceCertificates?: string;
  principal?: string;
  identity?: string;
  L?: string[];
  R?: string[];
  D?: string[];
  A?: boolean;
  N?: boolean;
}

/** `bowline ssh|scp|sftp|rsync`, and the sessions that are open. */
export function addSsh(
  root: Command,
  fleet: Command,
  { contextOf, apiOf, json }: FleetCommands,
  exit: (code: number) => void,
): void {
  const collect = (text: string, before: string[] = []) => [...before, text];
  withOptions(
    root
      .command('ssh')
      .description('a shell on a device, for as long as you say')
      .argument('<device>', 'its id; USER@DEVICE works, too')
      .argument('[command...]', 'run this instead of a shell; put -- before it'),
  )
    .option('-L <forward>', "ssh's local forward", collect)
    .option('-R <forward>', "ssh's remote forward", collect)
    .option('-D <port>', "ssh's dynamic forward", collect)
    .option('-A', 'forward the agent')
    .option('-N', 'no shell, only forwards')
    .action(async (named: string, words: string[], given: Given, command: Command) => {
      const [user, deviceId] = named.includes('@')
        ? (named.split('@') as [string, string])
        : [undefined, named];
      const { L = [], R = [], D = [], A = false, N = false } = given;
      const wish: SshWish = {
        program: 'ssh',
        runs: words.length > 0 ? 'command' : N ? 'nothing' : 'shell',
        localForward: L.length + D.length > 0,
        remoteForward: R.length > 0,
        agentForward: A,
      };
      const forwards = [
        ...L.flatMap((each) => ['-L', each]),
        ...R.flatMap((each) => ['-R', each]),
        ...D.flatMap((each) => ['-D', each]),
        ...(A ? ['-A'] : []),
        ...(N ? ['-N'] : []),
      ];
      const options = optionsOf(given, user);
      exit(
        await ssh(contextOf(command), apiOf(command), deviceId, wish, options, (config) => [
          '-F',
          config,
          ...forwards,
          deviceId,
          ...(words.length > 0 ? ['--', ...words] : []),
        ]),
      );
    });

  for (const program of ['scp', 'sftp', 'rsync'] as const) {
    withOptions(
      root
        .command(program)
        .description(`${program} to or from a device; name it as DEVICE:PATH`)
        .argument('<arguments...>', `those of ${program}; put -- before its options`),
    ).action(async (args: string[], given: Given, command: Command) => {
      const found = deviceIn(args);
      if (found === undefined)
        throw new CliError('usage', 'No argument names a device.', {
          exitCode: EXIT.usage,
          advice: `Write DEVICE:PATH, e.g. bowline ${program} ${program === 'sftp' ? 'demo:' : 'file demo:/tmp'}`,
        });
      const wish: SshWish = {
        program,
        runs: 'command',
        localForward: false,
        remoteForward: false,
        agentForward: false,
      };
      const options = optionsOf(given, found.user);
      const withConfig = (config: string) =>
        program === 'rsync' ? ['-e', `ssh -F '${config}'`, ...args] : ['-F', config, ...args];
      exit(await ssh(contextOf(command), apiOf(command), found.deviceId, wish, options, withConfig));
    });
  }

  root
    .command('ssh-audit')
    .description("this device's own audit of ssh sessions, newest first, and whether it is whole")
    .option('-n, --lines <count>', 'how many entries to show; all are checked', wholeNumber, 20)
    .option('--noted <seq:hash>', 'what an earlier one said must still be there', chainMark)
    .addOption(json())
    .action(({ lines, noted }: { lines: number; noted?: AuditMark }, command: Command) =>
      sshAudit(contextOf(command), lines, noted),
    );

  const sessions = fleet.command('ssh-sessions').description('ssh sessions that are open: list, end');
  sessions
    .command('list', { isDefault: true })
    .description('all of them, oldest first')
    .addOption(json())
    .action((_, command: Command) => listSshSessions(contextOf(command), apiOf(command)));
  sessions
    .command('end')
    .description('ends one now, with all that was started in it')
    .argument('<session>', 'its id')
    .addOption(json())
    .action((sessionId: string, _, command: Command) =>
      endSshSession(contextOf(command), apiOf(command), sessionId),
    );
}

function withOptions(command: Command): Command {
  return command
    .option('--for <duration>', 'when it ends, with all that was started in it', grantDuration, 15 * 60_000)
    .option('--idle <duration>', 'it ends earlier when nothing moves for so long', duration, 10 * 60_000)
    .option('--user <name>', 'system user on the device; default: your own name', userName)
    .option('--reason <text>', 'why, for those who read the audit log', NO_REASON)
    .option('--sign <key>', 'your access key (bowline keys), by name or file; default: "access"')
    .option(
      '--signer <url>',
      'have the grant signed by a signer; by your token in BOWLINE_SIGNER_TOKEN, or the code of its page',
    )
    .option('--streams <count>', 'connections at a time', wholeNumber, 3)
    .option('--record', 'record what is shown on its terminals')
    .option('--device-key <thumbprint>', "the device's key must be this one (bowline identity on the device)")
    .addOption(
      new Option('--device-ca <key>', "public key of the authority that certifies devices' keys").env(
        'BOWLINE_DEVICE_CA',
      ),
    )
    .addOption(
      new Option('--device-certificates <file>', 'what it has certified: bowline fleet certify').env(
        'BOWLINE_DEVICE_CERTIFICATES',
      ),
    )
    .option(
      '--principal <name>',
      'come with a certificate for this principal, instead of a key for this session',
    )
    .option('--identity <file>', 'the private key of that certificate');
}

function optionsOf(given: Given, user: string | undefined): SshOptions {
  return {
    user: given.user ?? user ?? userInfo().username,
    forMs: given.for,
    idleMs: given.idle,
    reason: given.reason,
    sign: given.sign,
    signer: given.signer,
    streams: given.streams,
    record: given.record ?? false,
    expected: { pinned: given.deviceKey, certified: authorityOf(given) },
    principal: given.principal,
    identity: given.identity,
  };
}

function authorityOf({ deviceCa: authority, deviceCertificates: file }: Given): DeviceAuthority | undefined {
  if (authority !== undefined && file !== undefined) return { authority, file };
  if (authority === undefined && file === undefined) return undefined;
  throw new CliError('usage', 'Of --device-ca and --device-certificates only one was given.', {
    exitCode: EXIT.usage,
    advice: 'Say whose word counts (--device-ca), and where it is (--device-certificates).',
  });
}

function grantDuration(text: string): number {
  const ms = duration(text);
  if (ms > LONGEST_SIGNED_SECONDS * 1000)
    throw new InvalidArgumentError('A grant is good for 7d at most; the device may allow less.');
  return ms;
}

function userName(text: string): string {
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(text))
    throw new InvalidArgumentError('It must be the name of a system user.');
  return text;
}
