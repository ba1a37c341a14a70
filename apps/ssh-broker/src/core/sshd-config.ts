import type { SshGrant } from '@bowline/messages';
import type { Capability } from './capabilities.ts';
import { runsPrograms } from './entry-script.ts';

/** Files of one session, all in its own folder. */
export interface SessionFiles {
  hostKey: string;
  authorizedKeys: string;
  principals: string;
}

export interface SessionFacts {
  grant: Pick<SshGrant, 'sessionId' | 'user' | 'principal' | 'command'>;
  capabilities: ReadonlySet<Capability>;
  files: SessionFiles;
  /** The authority of operators' certificates, for a grant that names a principal. */
  userCaFile: string | undefined;
  /** Whether sshd is to check the folders above the keys itself; else that was done by us. */
  strictModes: boolean;
  /** Forced before whatever the client asks for (entry-script.ts): a file whose name sshd and a shell take as it is. */
  entry: string | undefined;
}

/** Marks every process of a session in its environment, so that they are found at its end (sshd's `SetEnv`). */
export const SESSION_VARIABLE = 'BOWLINE_SESSION';

/** The configuration of `sshd -i` for one session: one user, one key, and of all that SSH can do only what was granted. */
export function sshdConfig(facts: SessionFacts): string {
  const { grant, capabilities, files, userCaFile, strictModes } = facts;
  const yes = (granted: boolean) => (granted ? 'yes' : 'no');
  const [local, remote] = [capabilities.has('local-forward'), capabilities.has('remote-forward')];
  const forwarding = local && remote ? 'yes' : local ? 'local' : remote ? 'remote' : 'no';
  // A unix socket of the device may be as good as a shell (pm2's, a container engine's), so it is for those who have one. sshd
  // does not take away a socket that it listens on for `-R` when it is ended: there are none.
  const sockets = local && runsPrograms(capabilities) && grant.command === undefined ? 'local' : 'no';
  const byKey = grant.principal === undefined;
  const forced = forcedCommand(facts);
  const lines = [
    `HostKey ${quoted(files.hostKey)}`,
    'PidFile none',
    'UsePAM no',
    `StrictModes ${yes(strictModes)}`,
    'AuthenticationMethods publickey',
    'PubkeyAuthentication yes',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'HostbasedAuthentication no',
    `AuthorizedKeysFile ${byKey ? quoted(files.authorizedKeys) : 'none'}`,
    ...(byKey || userCaFile === undefined
      ? []
      : [`TrustedUserCAKeys ${quoted(userCaFile)}`, `AuthorizedPrincipalsFile ${quoted(files.principals)}`]),
    `AllowUsers ${grant.user}`,
    `PermitRootLogin ${grant.user === 'root' ? 'prohibit-password' : 'no'}`,
    `PermitTTY ${yes(capabilities.has('pty'))}`,
    `AllowTcpForwarding ${forwarding}`,
    `AllowStreamLocalForwarding ${sockets}`,
    `AllowAgentForwarding ${yes(capabilities.has('agent-forward'))}`,
    'X11Forwarding no',
    'PermitTunnel no',
    'GatewayPorts no',
    'PermitUserRC no',
    'PermitUserEnvironment no',
    'AcceptEnv LANG LC_*',
    `SetEnv ${SESSION_VARIABLE}=${grant.sessionId}`,
    'UseDNS no',
    'PrintMotd no',
    'Banner none',
    'MaxAuthTries 3',
    'LoginGraceTime 30',
    'LogLevel INFO',
    ...(capabilities.has('sftp') ? ['Subsystem sftp internal-sftp'] : []),
    ...(forced === undefined ? [] : [`ForceCommand ${forced}`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** The one line that lets the operator's key in, or the certificates of a principal: `restrict`, and what was granted. */
export function keyOptions(capabilities: ReadonlySet<Capability>): string {
  const forwards = capabilities.has('local-forward') || capabilities.has('remote-forward');
  return [
    'restrict',
    ...(capabilities.has('pty') ? ['pty'] : []),
    ...(forwards ? ['port-forwarding'] : []),
    ...(capabilities.has('agent-forward') ? ['agent-forwarding'] : []),
  ].join(',');
}

/** @param expiresAtMs on the device's own wall clock: sshd knows no other. A net under the session's own end. */
export function authorizedKey(
  publicKey: string,
  capabilities: ReadonlySet<Capability>,
  expiresAtMs: number,
): string {
  const at = new Date(expiresAtMs)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:T]/g, '');
  return `${keyOptions(capabilities)},expiry-time="${at}" ${publicKey}\n`;
}

const PUBLIC_KEY =
  /^((?:sk-)?(?:ssh-ed25519|ecdsa-sha2-nistp256)(?:@openssh\.com)?|ecdsa-sha2-nistp(?:384|521)|ssh-rsa) ([A-Za-z0-9+/]{16,8000}={0,3})(?: [ -~]*)?$/;

/** Type and key without the comment, or undefined if it is no public key in OpenSSH's form. */
export function plainPublicKey(text: string): string | undefined {
  const [, type, key] = PUBLIC_KEY.exec(text.trim()) ?? [];
  return type === undefined || key === undefined ? undefined : `${type} ${key}`;
}

/**
 * sshd runs it by the user's shell; the script by `sh`, since the run folder may be on a file system from which nothing is
 * executed. Without `pty` and `exec` no program is to be had.
 */
function forcedCommand({ capabilities, entry }: SessionFacts): string | undefined {
  if (runsPrograms(capabilities)) return entry === undefined ? undefined : `/bin/sh ${entry}`;
  return capabilities.has('sftp') ? 'internal-sftp' : '/bin/false';
}

const quoted = (path: string): string => `"${path}"`;
