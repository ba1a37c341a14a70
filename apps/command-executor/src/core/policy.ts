/** Which commands the cloud may run here. It lives on the device, so a stolen cloud connection cannot widen it (invariant 7). */
export interface Policy {
  /** Names that may run. */
  allow: readonly string[];
  /** Where the rule stands, for the answer to whoever was refused: a file's path, or the built-in default. */
  source: string;
}

/** Without a policy file: what reads and changes nothing. */
export const DEFAULT_POLICY: Policy = {
  allow: ['ping', 'listCommands', 'collectDiagnostics'],
  source: 'built-in default policy',
};

export const isAllowed = (policy: Policy, name: string): boolean => policy.allow.includes(name);

/** The rule that refuses, in one sentence. */
export function refusal(policy: Policy, name: string): string {
  const allowed = policy.allow.length === 0 ? 'nothing' : `only ${policy.allow.join(', ')}`;
  return `commands.allow of the ${policy.source} permits ${allowed}, not ${name}`;
}
