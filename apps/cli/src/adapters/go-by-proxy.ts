import http, { type Agent } from 'node:http';
import https from 'node:https';
import { CliError, EXIT } from '../core/cli-error.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The proxy of the server's machine would take these for its own. */
const LOOPBACK = 'localhost,127.0.0.1,::1,[::1]';

/**
 * Has this process reach servers as the environment says: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, as Node takes them
 * (`NODE_USE_ENV_PROXY`), and loopback always directly. A device never goes by them (docs/adr/0034).
 *
 * @throws CliError `bad-proxy`; the address is not repeated, for it may hold a password.
 */
export function goByProxy(env: Environment): void {
  const except = env['no_proxy'] || env['NO_PROXY'];
  const noProxy = except === '*' ? except : [except, LOOPBACK].filter(Boolean).join(',');
  try {
    http.setGlobalProxyFromEnv({ ...env, no_proxy: noProxy });
  } catch (cause) {
    throw new CliError('bad-proxy', 'HTTPS_PROXY or HTTP_PROXY is no address of a proxy.', {
      exitCode: EXIT.usage,
      advice: 'Write http://HOST:PORT, USER:PASSWORD@ in front of the host if it asks for them.',
      cause,
    });
  }
}

/** The variable that names the proxy for what goes to this server; undefined: there is none, or it is on this machine. */
export function proxyVariable(url: string, env: Environment): string | undefined {
  if (LOOPBACK.split(',').includes(URL.parse(url)?.hostname ?? '')) return undefined;
  const name = /^(https|wss):/.test(url) ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  return [name.toLowerCase(), name].find((each) => env[each]);
}

/** For a WebSocket, which would not take it by itself; undefined: no proxy is named. */
export const proxyAgentFor = (url: string, env: Environment): Agent | undefined =>
  proxyVariable(url, env) === undefined
    ? undefined
    : url.startsWith('wss:')
      ? https.globalAgent
      : http.globalAgent;
