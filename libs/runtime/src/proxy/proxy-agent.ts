import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { openTunnel, secured, type TunnelOptions } from './tunnel.ts';

export interface ProxyAgentOptions extends Pick<TunnelOptions, 'proxy' | 'clock' | 'deadlineMs' | 'signal'> {
  /** For `https:` and `wss:`. */
  secure: boolean;
  /** Connections are used again. */
  keepAlive?: boolean;
}

/** For Node's requests and for WebSockets: their connections are tunnels ({@link openTunnel}), whose errors are theirs. */
export function proxyAgent({ secure, keepAlive = false, ...way }: ProxyAgentOptions): HttpAgent {
  const agent = secure ? new HttpsAgent({ keepAlive }) : new HttpAgent({ keepAlive });
  agent.createConnection = (options, created) => {
    const { host, port, ...tls } = options as ConnectionOptions & { host: string; port: number | string };
    openTunnel({ ...way, host, port: Number(port) }).then(
      (tunnel) => created?.(null, secure ? secured(tunnel, host, tls) : tunnel),
      (error: Error) => created?.(error, undefined as unknown as Socket),
    );
    return undefined;
  };
  return agent;
}
