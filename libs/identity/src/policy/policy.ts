import type { Policy } from './policy-schema.ts';

/** A policy in force, and where it comes from, for the answer to whoever is refused. */
export interface HeldPolicy {
  policy: Policy;
  /** `policy file PATH`, or `built-in default policy`. */
  source: string;
  /** Why the file that there is cannot be used; then the default is in force. */
  fault?: string;
  /** What the policy's own JSON Schema for a command says against these params. */
  checkParams(command: string, params: unknown): string | undefined;
}

/** Without a policy file: what reads and changes nothing. */
export const DEFAULT_POLICY: HeldPolicy = {
  policy: { commands: { ping: {}, listCommands: {}, collectDiagnostics: {} } },
  source: 'built-in default policy',
  checkParams: () => undefined,
};

export interface PolicyRefusal {
  code: 'not-allowed' | 'signature-needed';
  /** Names the rule by its JSON pointer (RFC 6901) and the file. */
  message: string;
}

export interface WantedCommand {
  name: string;
  timeoutMs?: number | undefined;
  /** A signature by a command key was checked. */
  signed: boolean;
}

export interface WantedParams {
  name: string;
  params: Record<string, unknown>;
  /** System user that its program would run as, if not the command's own. */
  user?: string | undefined;
}

/**
 * Without a look at its params, which takes time: {@link judgeParams} comes second.
 *
 * @returns the rule of the device's policy that is against it; undefined if it may run.
 */
export function judgeCommand(held: HeldPolicy, wanted: WantedCommand): PolicyRefusal | undefined {
  const { name, timeoutMs, signed } = wanted;
  const rule = ruleOf(held, name);
  if (rule === undefined)
    return refuse(held, ['commands'], `permits ${listed(Object.keys(commandsOf(held)))}, not ${name}`);
  if (rule.signed === true && !signed)
    return {
      ...refuse(held, ['commands', name, 'signed'], `${name} needs a signature by a command key`),
      code: 'signature-needed',
    };
  if (rule.maxTimeoutMs !== undefined && timeoutMs !== undefined && timeoutMs > rule.maxTimeoutMs)
    return refuse(
      held,
      ['commands', name, 'maxTimeoutMs'],
      `permits ${rule.maxTimeoutMs} ms, not ${timeoutMs}`,
    );
  return undefined;
}

/** What it says against the params of a command that {@link judgeCommand} lets run. */
export function judgeParams(held: HeldPolicy, wanted: WantedParams): PolicyRefusal | undefined {
  const { name, params, user } = wanted;
  const users = ruleOf(held, name)?.users ?? [];
  if (user !== undefined && !users.includes(user))
    return refuse(held, ['commands', name, 'users'], `permits ${listed(users)}, not ${user}`);
  const fault = held.checkParams(name, params);
  return fault === undefined ? undefined : refuse(held, ['commands', name, 'params'], fault);
}

/** The most time that the policy gives a command, if it says so, milliseconds. */
export const longestTimeoutMs = (held: HeldPolicy, name: string): number | undefined =>
  commandsOf(held)[name]?.maxTimeoutMs;

export const isAllowed = (held: HeldPolicy, name: string): boolean => Object.hasOwn(commandsOf(held), name);
export const needsSignature = (held: HeldPolicy, name: string): boolean =>
  isAllowed(held, name) && commandsOf(held)[name]?.signed === true;

export function judgeUpdate(held: HeldPolicy, { channel }: { channel: string }): PolicyRefusal | undefined {
  const channels = held.policy.updates?.channels ?? [];
  return channels.includes(channel)
    ? undefined
    : refuse(held, ['updates', 'channels'], `permits ${listed(channels)}, not ${channel}`);
}

/** What may be installed where the policy names no kinds. */
const DEFAULT_KINDS = ['app'];

/** @param kind `app`, `self` or `module:TYPE`. */
export function judgeRelease(held: HeldPolicy, { kind }: { kind: string }): PolicyRefusal | undefined {
  const kinds = held.policy.updates?.kinds ?? DEFAULT_KINDS;
  return kinds.includes(kind)
    ? undefined
    : refuse(held, ['updates', 'kinds'], `permits ${listed(kinds)}, not ${kind}`);
}

export function judgeSsh(
  held: HeldPolicy,
  { user, seconds, capabilities }: { user: string; seconds: number; capabilities: readonly string[] },
): PolicyRefusal | undefined {
  const rule = held.policy.ssh ?? { users: [], maxSeconds: 0, capabilities: [] };
  if (!rule.users.includes(user))
    return refuse(held, ['ssh', 'users'], `permits ${listed(rule.users)}, not ${user}`);
  if (seconds > rule.maxSeconds)
    return refuse(held, ['ssh', 'maxSeconds'], `permits ${rule.maxSeconds} s, not ${seconds}`);
  const excess = capabilities.filter((capability) => !rule.capabilities.includes(capability));
  return excess.length === 0
    ? undefined
    : refuse(held, ['ssh', 'capabilities'], `permits ${listed(rule.capabilities)}, not ${excess.join(', ')}`);
}

const ruleOf = (held: HeldPolicy, name: string) =>
  Object.hasOwn(commandsOf(held), name) ? commandsOf(held)[name] : undefined;

const commandsOf = ({ policy }: HeldPolicy) => policy.commands ?? DEFAULT_POLICY.policy.commands ?? {};

const listed = (names: readonly string[]): string =>
  names.length === 0 ? 'nothing' : `only ${names.join(', ')}`;

function refuse({ source, fault }: HeldPolicy, path: readonly string[], why: string): PolicyRefusal {
  const pointer = path.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  const broken = fault === undefined ? '' : `; the policy file is not in force: ${fault}`;
  return { code: 'not-allowed', message: `${pointer} of the ${source}: ${why}${broken}` };
}
