import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError } from '@bowline/runtime';

/** The PEM of an authority that devices are to trust. @throws ConfigError `bad-authority` */
export function readAuthority(file: string): string {
  try {
    const pem = readFileSync(file, 'utf8');
    void new X509Certificate(pem);
    return pem;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError('bad-authority', `${file} (enrolment.caFile) is no certificate in PEM: ${why}`, {
      cause: error,
    });
  }
}
