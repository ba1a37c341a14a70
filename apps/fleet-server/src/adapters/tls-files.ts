import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext, type SecureContextOptions, type Server } from 'node:tls';
import { ConfigError, type Logger } from '@bowline/runtime';

export interface TlsFileNames {
  cert: string;
  key: string;
  clientCa?: string | undefined;
}

const LOOK_EVERY_MS = 1000;
const DAY_MS = 24 * 3600 * 1000;
/** A certificate that ends sooner is worth a warning. */
const ENDS_SOON_MS = 14 * DAY_MS;

/**
 * Certificate and key as files that somebody else renews. Both are taken up anew when one of them changes, and on SIGHUP;
 * connections that are open stay. What cannot be used is reported and changes nothing.
 */
export class TlsFiles {
  readonly #names: TlsFileNames;
  readonly #log: Logger;
  readonly #first: SecureContextOptions;
  #stop: () => void = () => {};

  /** @throws ConfigError `tls-unusable` */
  constructor(names: TlsFileNames, log: Logger) {
    this.#names = names;
    this.#log = log;
    this.#first = this.#read();
  }

  /** For a server that is about to be made. */
  serverOptions(): SecureContextOptions & { requestCert: boolean; rejectUnauthorized: false } {
    // A client certificate is one way to prove who one is, so none is refused here: the link looks at it.
    return {
      ...this.#first,
      requestCert: this.#names.clientCa !== undefined,
      rejectUnauthorized: false,
    };
  }

  follow(server: Pick<Server, 'setSecureContext'>): void {
    const reload = () => {
      try {
        server.setSecureContext(this.#read());
        this.#log.info({ ...this.#names }, 'certificate and key were taken up anew');
      } catch (error) {
        this.#log.error({ error }, 'certificate and key cannot be used: those before stay');
      }
    };
    const files = Object.values(this.#names).filter((name) => name !== undefined);
    for (const file of files) watchFile(file, { interval: LOOK_EVERY_MS, persistent: false }, reload);
    process.on('SIGHUP', reload);
    this.#stop = () => {
      for (const file of files) unwatchFile(file, reload);
      process.off('SIGHUP', reload);
    };
  }

  stop(): void {
    this.#stop();
  }

  #read(): SecureContextOptions {
    const { cert, key, clientCa } = this.#names;
    const options: SecureContextOptions = {
      cert: readPem(cert),
      key: readPem(key),
      ...(clientCa === undefined ? {} : { ca: readPem(clientCa) }),
      minVersion: 'TLSv1.2',
    };
    try {
      createSecureContext(options);
      this.#warn(new X509Certificate(options.cert as Buffer));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new ConfigError('tls-unusable', `${cert} and ${key} are no certificate and its key: ${why}`, {
        cause: error,
      });
    }
    return options;
  }

  #warn({ validTo, validToDate }: X509Certificate): void {
    const { cert, key } = this.#names;
    if (validToDate.getTime() < Date.now() + ENDS_SOON_MS)
      this.#log.warn({ cert, validTo }, 'the certificate has ended or ends soon: clients will refuse it');
    if ((statSync(key).mode & 0o007) !== 0)
      this.#log.warn({ key }, 'the private key can be read by every user of this machine: chmod 600 it');
  }
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError('tls-unusable', `${file} cannot be read: ${why}`, { cause: error });
  }
}
