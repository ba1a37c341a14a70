import type { SshCapability } from '@bowline/messages/names';

/** What a grant says where the operator said nothing. */
export const NO_REASON = 'no reason given';

/** What a person wants of a session, before it is a grant. */
export interface SshWish {
  program: 'ssh' | 'scp' | 'sftp' | 'rsync';
  /** On the device; nothing, if only forwards are wanted. */
  runs: 'shell' | 'command' | 'nothing';
  localForward: boolean;
  remoteForward: boolean;
  agentForward: boolean;
}

/** No more than what was asked for: the grant names it, and the device holds to that. */
export function capabilitiesFor(wish: SshWish): SshCapability[] {
  const { program, runs, localForward, remoteForward, agentForward } = wish;
  const ssh: Record<SshWish['runs'], SshCapability[]> = {
    shell: ['pty', 'exec'],
    command: ['exec'],
    nothing: [],
  };
  const base: Record<SshWish['program'], SshCapability[]> = {
    ssh: ssh[runs],
    scp: ['sftp'],
    sftp: ['sftp'],
    rsync: ['exec'],
  };
  const forwards: [boolean, SshCapability][] = [
    [localForward, 'local-forward'],
    [remoteForward, 'remote-forward'],
    [agentForward, 'agent-forward'],
  ];
  return [...base[program], ...forwards.filter(([wanted]) => wanted).map(([, name]) => name)];
}

/** The device that arguments of scp, sftp or rsync name: `DEVICE:PATH` or `USER@DEVICE:PATH`. */
export function deviceIn(
  args: readonly string[],
): { deviceId: string; user: string | undefined } | undefined {
  for (const arg of args) {
    if (arg.startsWith('-') || arg.startsWith('/') || arg.startsWith('.')) continue;
    const [, user, deviceId] = /^(?:([a-z_][a-z0-9_-]*)@)?([A-Za-z0-9._-]{1,64}):/.exec(arg) ?? [];
    if (deviceId !== undefined) return { deviceId, user };
  }
  return undefined;
}

/**
 * Configuration of stock ssh for one session: its key, the host key that the device vouched for, and no other way. It sends nothing by
 * itself: that would count as use, and no session would ever be idle; the tunnel has pings of its own.
 */
export function sshClientConfig(facts: {
  deviceId: string;
  user: string;
  identityFile: string;
  knownHostsFile: string;
  hostKeyAlias: string;
  proxyCommand: string;
  /** The agent is to be forwarded; the session's own key is used all the same. */
  agentForward: boolean;
}): string {
  const { deviceId, user, hostKeyAlias } = facts;
  // What ssh itself would make of a per cent sign in a path.
  const [identityFile, knownHostsFile, proxyCommand] = [
    facts.identityFile,
    facts.knownHostsFile,
    facts.proxyCommand,
  ].map((text) => text.replaceAll('%', '%%'));
  return `Host ${deviceId}
  User ${user}
  IdentityFile "${identityFile}"
  IdentitiesOnly yes
${facts.agentForward ? '' : '  IdentityAgent none\n'}  PreferredAuthentications publickey
  HostKeyAlias ${hostKeyAlias}
  HostKeyAlgorithms ssh-ed25519
  UserKnownHostsFile "${knownHostsFile}"
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
  CheckHostIP no
  ControlMaster no
  ControlPath none
  ExitOnForwardFailure yes
  ServerAliveInterval 0
  LogLevel ERROR
  ProxyCommand ${proxyCommand}
`;
}
