import { lookup } from 'node:dns/promises';
import { BlockList, type AddressInfo, type Server } from 'node:net';
import { ConfigError, hasCode } from '@bowline/runtime';
import type { FastifyInstance } from 'fastify';
import type { ServerConfig } from './config.ts';
import type { TlsFileNames } from './adapters/tls-files.ts';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

export interface ListenOptions {
  host: string;
  port: number;
  tls: boolean;
  /** Without TLS beyond loopback all the same. */
  allowInsecure: boolean;
}

/**
 * @returns the URL by which this machine reaches it.
 * @throws ConfigError `insecure-listener`, `port-taken`, `listen-refused`
 */
export async function listen(http: FastifyInstance, options: ListenOptions): Promise<string> {
  const { host, port, tls, allowInsecure } = options;
  try {
    const { address, family } = await lookup(host);
    if (!tls && !allowInsecure && !LOOPBACK.check(address, family === 6 ? 'ipv6' : 'ipv4')) {
      const sentence = `Without TLS it listens on loopback only, and ${host} is beyond: set tlsCert and tlsKey, or allowInsecure if something else on this network encrypts.`;
      throw new ConfigError('insecure-listener', sentence);
    }
    await http.listen({ host: address, port });
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE')) {
      const sentence = `Port ${port} on ${host} is taken by another program: stop that, or set another port (listen.port).`;
      throw new ConfigError('port-taken', sentence, { cause: error });
    }
    if (hasCode(error, 'EACCES', 'EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN')) {
      const sentence = `Cannot listen on ${host}, port ${port} (${error.code}): set an address of this machine and a port that this user may use.`;
      throw new ConfigError('listen-refused', sentence, { cause: error });
    }
    throw error;
  }
  const { port: bound } = (http.server as Server).address() as AddressInfo;
  return `${tls ? 'https' : 'http'}://${reachable(host)}:${bound}`;
}

/** @throws ConfigError `tls-incomplete` */
export function tlsFilesOf({
  tlsCert,
  tlsKey,
  tlsClientCa,
  tlsRequireClientCert,
}: Pick<ServerConfig, 'tlsCert' | 'tlsKey' | 'tlsClientCa' | 'tlsRequireClientCert'>):
  TlsFileNames | undefined {
  if (tlsRequireClientCert && tlsClientCa === undefined) {
    const sentence = 'tlsRequireClientCert needs tlsClientCa: who signs the certificates of the devices.';
    throw new ConfigError('tls-incomplete', sentence);
  }
  if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new ConfigError('tls-incomplete', 'TLS needs both tlsCert and tlsKey (--tls-cert, --tls-key).');
  }
  return { cert: tlsCert, key: tlsKey, clientCa: tlsClientCa };
}

/** An address to listen on is not always one to call. */
const reachable = (host: string): string => {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
};

/** The names by which a device may call the server: what was configured, else where it listens. */
export function originsOf(url: string, publicUrl: string | undefined): string[] {
  if (publicUrl !== undefined) return [new URL(publicUrl).origin];
  const { protocol, port } = new URL(url);
  return [...new Set([url, `${protocol}//127.0.0.1:${port}`, `${protocol}//localhost:${port}`])];
}
