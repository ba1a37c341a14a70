import { createSecureContext } from 'node:tls';
import { ConfigError } from '@bowline/runtime';
import { mustBeCertificate, readAuthority, readPem, unusable } from '@bowline/runtime/proxy';

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
  const ca = caFile === undefined ? told : readAuthority(caFile, 'link.caFile');
  if (told !== undefined && caFile === undefined)
    mustBeCertificate(told, 'the authority that the server named');
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
  const cert = readPem(clientCertFile, 'link.clientCertFile');
  const key = readPem(clientKeyFile, 'link.clientKeyFile');
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw unusable(`${clientCertFile} and ${clientKeyFile} are no certificate and its key`, error);
  }
  return { ...base, cert, key };
}
