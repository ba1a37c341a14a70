export {
  judgeProxy,
  LOOPBACK,
  mustBeCertificate,
  NO_PROXY_PATTERN,
  PROXY_PATTERN,
  proxyFor,
  readAuthority,
  readPem,
  readProxy,
  unusable,
  type ProxyKeys,
  type ProxySettings,
} from './proxy-settings.ts';
export { proxyAgent, type ProxyAgentOptions } from './proxy-agent.ts';
export { openTunnel, refusedBy, secured, targetOf, toProxy, type TunnelOptions } from './tunnel.ts';
