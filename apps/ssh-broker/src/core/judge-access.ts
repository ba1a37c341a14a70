import type { SshAccess, SshGrant } from '@bowline/messages';
import { isCapability, type Capability } from './capabilities.ts';
import { runsPrograms } from './entry-script.ts';
import { plainPublicKey } from './sshd-config.ts';

/** What the device itself can and allows, beside its policy file. */
export interface LocalFacts {
  /** Without one no session can be opened. */
  hasSshd: boolean;
  /** Other users need root. */
  ownUser: string;
  isRoot: boolean;
  users: ReadonlySet<string>;
  hasUserCa: boolean;
  maxStreams: number;
  tunnelHosts: readonly string[] | undefined;
  allowInsecure: boolean;
  /** Of the sessions that there are now, or will be in a moment. */
  active: readonly Pick<SshGrant, 'sessionId' | 'user' | 'by'>[];
  maxSessions: number;
}

export interface Refusal {
  code: string;
  message: string;
}

const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost'];

/** Everything about a grant that is neither its signature nor the policy's. @returns why it cannot be; undefined if it can. */
export function judgeAccess(
  { tunnelUrl }: Pick<SshAccess, 'tunnelUrl'>,
  grant: SshGrant,
  facts: LocalFacts,
): Refusal | undefined {
  return (
    judgeGrant(grant, facts) ?? judgeTunnel(tunnelUrl, grant.sessionId, facts) ?? judgeActive(grant, facts)
  );
}

function judgeGrant(grant: SshGrant, facts: LocalFacts): Refusal | undefined {
  const { user, capabilities, principal, publicKey, streams, command } = grant;
  if (!facts.hasSshd)
    return {
      code: 'no-sshd',
      message: 'there is no sshd here: install openssh-server, then bowline restart ssh-broker',
    };
  const strange = capabilities.filter((name) => !isCapability(name));
  if (strange.length > 0)
    return { code: 'unknown-capability', message: `this device knows no ${strange.join(', ')}` };
  if (command !== undefined && !runsPrograms(capabilitiesOf(grant)))
    return { code: 'command-not-granted', message: 'a grant with a command needs pty or exec' };
  if (!facts.users.has(user)) return { code: 'unknown-user', message: `there is no user ${user} here` };
  if (!facts.isRoot && user !== facts.ownUser)
    return {
      code: 'not-own-user',
      message: `the broker runs as ${facts.ownUser} and can open sessions for no other user`,
    };
  if (principal === undefined && plainPublicKey(publicKey ?? '') === undefined)
    return { code: 'bad-public-key', message: "publicKey is none in OpenSSH's form" };
  if (principal !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/.test(principal))
    return { code: 'bad-principal', message: 'a principal is letters, digits and . _ @ -' };
  if (principal !== undefined && !facts.hasUserCa)
    return { code: 'no-user-ca', message: 'this device trusts no authority for certificates (userCaFile)' };
  if (streams > facts.maxStreams)
    return { code: 'too-many-streams', message: `at most ${facts.maxStreams} streams, not ${streams}` };
  return undefined;
}

function judgeTunnel(tunnelUrl: string, sessionId: string, facts: LocalFacts): Refusal | undefined {
  const bad = (message: string) => ({ code: 'bad-tunnel-url', message });
  const url = URL.parse(tunnelUrl);
  if (url === null) return bad('tunnelUrl is no URL');
  if (url.pathname !== `/v1/tunnels/${sessionId}/device`) return bad('tunnelUrl is that of another session');
  if (url.href !== `${url.origin}${url.pathname}`) return bad('tunnelUrl is more than host and path');
  if (url.protocol !== 'wss:' && !facts.allowInsecure && !LOOPBACK.includes(url.hostname))
    return bad('tunnelUrl must be wss:// (allowInsecure permits ws://)');
  if (facts.tunnelHosts !== undefined && !facts.tunnelHosts.includes(url.host))
    return bad(`tunnelHosts does not permit ${url.host}`);
  return undefined;
}

function judgeActive({ user }: SshGrant, { active, maxSessions }: LocalFacts): Refusal | undefined {
  const own = active.find((session) => session.user === user);
  if (own !== undefined) {
    const { sessionId, by } = own;
    const message = `${user} has a session already, ${sessionId}, granted by ${by}; bowline fleet ssh-sessions end ${sessionId} ends it`;
    return { code: 'session-active', message };
  }
  if (active.length >= maxSessions)
    return { code: 'too-many-sessions', message: `${active.length} sessions are open already` };
  return undefined;
}

export const capabilitiesOf = ({ capabilities }: SshGrant): Set<Capability> =>
  new Set(capabilities.filter(isCapability));
