import { writeFileDurably, type Clock, type Logger } from '@bowline/runtime';

/** From when to when a certificate holds, epoch milliseconds. */
export interface CertificateValidity {
  fromMs: number;
  toMs: number;
}

/** How often at most the time is written, to spare the flash; and once more at the stop. */
const EVERY_MS = 3_600_000;

/**
 * Keeps, across power cuts, a time that the server told over TLS: at the next boot, deploy's launcher raises a clock that has
 * fallen behind it, for in 1970 no certificate is valid yet. A time outside the certificate that vouches for it is not taken, so
 * a captured server cannot push the clock beyond its own certificate; without TLS none is taken, and none is needed.
 */
export class TrustedTime {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #log: Pick<Logger, 'warn'>;
  #certificate: CertificateValidity | undefined;
  #writtenAtMs = Number.NEGATIVE_INFINITY;

  constructor(file: string, { clock, log }: { clock: Clock; log: Pick<Logger, 'warn'> }) {
    this.#file = file;
    this.#clock = clock;
    this.#log = log;
  }

  /** What proves the server of the link that comes now; undefined without TLS. */
  provenBy(certificate: CertificateValidity | undefined): void {
    this.#certificate = certificate;
  }

  /** @param serverMs epoch milliseconds; undefined while the server has told none. @param last nothing comes after this. */
  record(serverMs: number | undefined, last = false): void {
    const now = this.#clock.monotonicMs();
    if (serverMs === undefined || this.#certificate === undefined) return;
    if (!(serverMs >= this.#certificate.fromMs && serverMs <= this.#certificate.toMs)) return;
    if (!last && now - this.#writtenAtMs < EVERY_MS) return;
    this.#writtenAtMs = now;
    try {
      writeFileDurably(this.#file, `${JSON.stringify({ at: Math.round(serverMs) })}\n`);
    } catch (error) {
      this.#log.warn({ error }, 'the time could not be recorded: will try again in an hour');
    }
  }
}
