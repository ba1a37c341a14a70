import { Type } from 'typebox';

/**
 * The keys that every app with effects has, for its configuration schema. All name paths or users, hence `localOnly`: the
 * cloud can never set them.
 *
 * @param says what is in the state folder, and what the policy decides here.
 */
export const memberConfig = (says: { stateDir: string; policyFile: string }) => ({
  stateDir: Type.String({ minLength: 1, localOnly: true, description: says.stateDir }),
  hubFolder: Type.String({
    minLength: 1,
    localOnly: true,
    description: 'folder of the hub sockets, one an app',
  }),
  hubOwner: Type.Optional(
    Type.String({
      minLength: 1,
      localOnly: true,
      description: "the gateway's user, a name or a number, if this app runs as another",
    }),
  ),
  policyFile: Type.String({
    minLength: 1,
    localOnly: true,
    default: '/etc/bowline/policy.json',
    description: says.policyFile,
  }),
  trustAnchorFile: Type.String({
    minLength: 1,
    localOnly: true,
    default: '/etc/bowline/trust-anchor.json',
    description: 'whose signatures count here; without it those of nobody',
  }),
  logLevel: Type.Enum(['debug', 'info', 'warn', 'error'], { default: 'info' }),
});
