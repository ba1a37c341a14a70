import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { ConfigError } from '@bowline/runtime';
import type { ProxySettings } from './proxy-tunnel.ts';

/** For every TLS connection to the cloud; names are checked against the host of the URL (RFC 9525), as Node does. */
export interface TlsSettings {
  minVersion: 'TLSv1.2';
  /** Said, so that no environment variable can say otherwise. */
  rejectUnauthorized: true;
  /** PEM: trusted instead of the system's authorities. */
  ca?: string;
  cert?: string;
  key?: string;
}

export interface TlsFiles {
  caFile?: string;
  clientCertFile?: string;
  clientKeyFile?: string;
}

/**
 * Read anew for each attempt: certificates are renewed while the gateway runs.
 *
 * @param told the authority that the server named at enrolment; a file of the device's own wins.
 * @throws ConfigError `bad-certificate`
 */
export function tlsSettings({ caFile, clientCertFile, clientKeyFile }: TlsFiles, told?: string): TlsSettings {
  const ca = caFile === undefined ? told : read(caFile, 'link.caFile');
  if (ca !== undefined) mustParse(ca, caFile ?? 'the authority that the server named');
  if ((clientCertFile === undefined) !== (clientKeyFile === undefined)) {
    const message = 'set both or none of link.clientCertFile and link.clientKeyFile';
    throw new ConfigError('bad-certificate', message);
  }
  const base = {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca }),
  } as const;
  if (clientCertFile === undefined || clientKeyFile === undefined) return base;
  const cert = read(clientCertFile, 'link.clientCertFile');
  const key = read(clientKeyFile, 'link.clientKeyFile');
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw unusable(`${clientCertFile} and ${clientKeyFile} are no certificate and its key`, error);
  }
  return { ...base, cert, key };
}

/** Undefined: the way to the cloud is direct. @throws ConfigError `bad-certificate`, `bad-proxy` */
export function proxySettings(link: { proxy?: string; proxyCaFile?: string }): ProxySettings | undefined {
  const { proxy, proxyCaFile } = link;
  if (proxy === undefined) return undefined;
  const url = parseProxy(proxy);
  if (proxyCaFile === undefined) return { url };
  const ca = read(proxyCaFile, 'link.proxyCaFile');
  mustParse(ca, proxyCaFile);
  return { url, ca };
}

/** Its text is not repeated: it may hold a password. */
function parseProxy(text: string): URL {
  try {
    const url = new URL(text);
    decodeURIComponent(`${url.username}${url.password}`);
    return url;
  } catch (cause) {
    const message =
      'link.proxy is no address: write http://HOST:PORT, a name and password in front of it with %XX for what is no letter or digit';
    throw new ConfigError('bad-proxy', message, { cause });
  }
}

function read(file: string, setting: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unusable(`${setting}: ${file} cannot be read`, error);
  }
}

/** Node takes any text for a list of authorities and trusts nobody then: better to say so. */
function mustParse(pem: string, what: string): void {
  try {
    void new X509Certificate(pem);
  } catch (error) {
    throw unusable(`${what} is no certificate in PEM`, error);
  }
}

const unusable = (what: string, cause: unknown) =>
  new ConfigError('bad-certificate', `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause,
  });
