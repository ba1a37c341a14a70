import type { AddressInfo } from 'node:net';
import { ConfigError, hasCode } from '@bowline/runtime';
import type { FastifyInstance } from 'fastify';

/**
 * @returns the URL by which this machine reaches it.
 * @throws ConfigError `port-taken`, `listen-refused`
 */
export async function listen(
  http: FastifyInstance,
  { host, port }: { host: string; port: number },
): Promise<string> {
  try {
    await http.listen({ host, port });
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE')) {
      const sentence = `Port ${port} on ${host} is taken by another program: stop that, or set another port (listen.port).`;
      throw new ConfigError('port-taken', sentence, { cause: error });
    }
    if (hasCode(error, 'EACCES', 'EADDRNOTAVAIL', 'ENOTFOUND')) {
      const sentence = `Cannot listen on ${host}, port ${port} (${error.code}): set an address of this machine and a port that this user may use.`;
      throw new ConfigError('listen-refused', sentence, { cause: error });
    }
    throw error;
  }
  const bound = (http.server.address() as AddressInfo).port;
  return `http://${reachable(host)}:${bound}`;
}

/** An address to listen on is not always one to call. */
const reachable = (host: string): string => {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
};

/** The names by which a device may call the server: what was configured, else where it listens. */
export function originsOf(url: string, publicUrl: string | undefined): string[] {
  if (publicUrl !== undefined) return [new URL(publicUrl).origin];
  const { port } = new URL(url);
  return [...new Set([url, `http://127.0.0.1:${port}`, `http://localhost:${port}`])];
}
