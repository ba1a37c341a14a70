/** Certificates for tests, made by Debian's openssl: see `needs('openssl')`. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './temporary-folder.ts';

export interface Certified {
  certFile: string;
  keyFile: string;
  cert: string;
  key: string;
}

export interface CertificateAuthority {
  /** PEM of the authority's own certificate. */
  ca: string;
  caFile: string;
  /** @param names subject alternative names as openssl writes them: `IP:127.0.0.1`, `URI:urn:bowline:device:x`. */
  issue(...names: string[]): Certified;
}

/** An authority of its own, in a temporary folder. */
export function certificateAuthority(): CertificateAuthority {
  const folder = temporaryFolder();
  const openssl = (args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const asCa = ['-addext', 'keyUsage=critical,keyCertSign', '-addext', 'basicConstraints=critical,CA:TRUE'];
  const subject = ['-days', '30', '-subj', '/CN=test ca'];
  openssl(['req', '-x509', ...newKey, ...subject, ...asCa, '-keyout', 'ca.key', '-out', 'ca.pem']);
  let issued = 0;
  const caFile = join(folder, 'ca.pem');
  return {
    ca: readFileSync(caFile, 'utf8'),
    caFile,
    issue: (...names) => {
      issued += 1;
      const [keyFile, certFile, request, extensions] = ['key', 'pem', 'csr', 'ext'].map((end) =>
        join(folder, `${issued}.${end}`),
      ) as [string, string, string, string];
      // A section of their own, or a comma in a name would part it.
      const listed = names.map((name, index) => name.replace(':', `.${index}=`)).join('\n');
      writeFileSync(extensions, `subjectAltName=@names\nbasicConstraints=CA:FALSE\n[names]\n${listed}\n`);
      openssl(['req', ...newKey, '-keyout', keyFile, '-out', request, '-subj', `/CN=${issued}`]);
      const byCa = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30'];
      openssl(['x509', '-req', '-in', request, ...byCa, '-out', certFile, '-extfile', extensions]);
      return {
        certFile,
        keyFile,
        cert: readFileSync(certFile, 'utf8'),
        key: readFileSync(keyFile, 'utf8'),
      };
    },
  };
}
