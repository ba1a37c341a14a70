import { LOOPBACK, NO_PROXY_PATTERN, PROXY_PATTERN } from '@bowline/runtime/proxy';
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

/** The keys that stand beside the address of a proxy. @param which proxy, in words */
export const besideProxyConfig = (which: string) => ({
  proxyCaFile: Type.Optional(
    Type.String({
      minLength: 1,
      localOnly: true,
      description: `PEM: authority to be trusted for the TLS of ${which}, if it is https, instead of the system's`,
    }),
  ),
  noProxy: Type.Array(Type.String({ pattern: `^${NO_PROXY_PATTERN}$`, maxLength: 260 }), {
    localOnly: true,
    maxItems: 64,
    default: [...LOOPBACK],
    description: `names (with all below them), addresses and networks (10.0.0.0/8) that are reached without ${which}`,
  }),
});

/** The keys of an app that goes out to the net by itself (`way-out.ts`): its own way, where that is not the link's. */
export const wayOutConfig = () => ({
  proxy: Type.String({
    pattern: `^(link|none|${PROXY_PATTERN})$`,
    localOnly: true,
    default: 'link',
    description:
      '`link`: the way that the link takes (`link.proxy` of ws-gateway); `none`: directly; else a proxy of its own, http(s)://[USER:PASSWORD@]HOST[:PORT], which proxyCaFile and noProxy are for',
  }),
  ...besideProxyConfig('a proxy of its own'),
});
