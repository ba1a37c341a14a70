/** What a person wants of a session, before it is a grant. */
export interface SshWish {
  program: 'ssh' | 'scp' | 'sftp' | 'rsync';
  /** A command instead of a shell. */
  hasCommand: boolean;
  localForward: boolean;
  remoteForward: boolean;
  agentForward: boolean;
}

/** No more than what was asked for: the grant names it, and the device holds to that. */
export function capabilitiesFor(wish: SshWish): string[] {
  const { program, hasCommand, localForward, remoteForward, agentForward } = wish;
  const base = {
    ssh: hasCommand ? ['exec'] : ['pty', 'exec'],
    scp: ['sftp'],
    sftp: ['sftp'],
    rsync: ['exec'],
  }[program];
  return [
    ...base,
    ...(localForward ? ['local-forward'] : []),
    ...(remoteForward ? ['remote-forward'] : []),
    ...(agentForward ? ['agent-forward'] : []),
  ];
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

/** Configuration of stock ssh for one session: its key, the host key that the device vouched for, and no other way. */
export function sshClientConfig(facts: {
  deviceId: string;
  user: string;
  identityFile: string;
  knownHostsFile: string;
  hostKeyAlias: string;
  proxyCommand: string;
}): string {
  const { deviceId, user, identityFile, knownHostsFile, hostKeyAlias, proxyCommand } = facts;
  return `Host ${deviceId}
  User ${user}
  IdentityFile "${identityFile}"
  IdentitiesOnly yes
  IdentityAgent none
  PreferredAuthentications publickey
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
  ServerAliveInterval 15
  LogLevel ERROR
  ProxyCommand ${proxyCommand}
`;
}
