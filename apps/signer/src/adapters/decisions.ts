import { TransientError, type Clock, type Logger } from '@bowline/runtime';
import { RateLimiter } from '@bowline/server-sdk/rate-limiter';
import type { SignerConfig } from '../config.ts';
import type { AuditEntry, AuditFile } from './audit-file.ts';
import { operatorOf, type Caller } from './signer-policy.ts';

export interface DecisionPorts {
  policyFile: string;
  audit: AuditFile;
  rate: SignerConfig['rate'];
  clock: Clock;
  log: Logger;
}

/** Who asks, how often he may, and the audit log of what he was answered. */
export class Decisions {
  readonly #ports: DecisionPorts;
  readonly #calls: RateLimiter;
  readonly #refusals: RateLimiter;
  /** Refusals that came too fast: whoever fills the log with them would push out what matters. */
  #unwritten = 0;

  constructor(ports: DecisionPorts) {
    const { clock, rate } = ports;
    this.#ports = ports;
    this.#calls = new RateLimiter(clock, {
      burst: rate.signaturesBurst,
      perSecond: rate.signaturesPerSecond,
    });
    this.#refusals = new RateLimiter(clock, { burst: rate.refusalsBurst, perSecond: rate.refusalsPerSecond });
  }

  /** Now, by the wall clock, milliseconds. */
  now(): number {
    return Math.round(this.#ports.clock.wallMs());
  }

  /** Whose token it is. @throws TransientError `too-many-requests`, `signer-policy-broken` */
  callerOf(token: string | undefined): Caller | undefined {
    return token === undefined ? undefined : operatorOf(this.#ports.policyFile, token);
  }

  /** A stranger was there. @throws TransientError `too-many-requests` */
  strange(from: string): void {
    pause(this.#refusals.take(`from ${from}`));
    this.#ports.log.warn({ from }, 'a token that nobody has');
  }

  /** @throws TransientError `too-many-requests` */
  pace(operator: string): void {
    pause(this.#calls.take(operator));
  }

  /** Says no; in the log, unless too many came. */
  refused(entry: AuditEntry & { operator: string }): void {
    if (this.#refusals.take(entry.operator) === 0) this.taken(entry);
    else this.#unwritten += 1;
  }

  /** @returns the number of the entry, once it is on disk. @throws TransientError `audit-unwritable` */
  taken(entry: AuditEntry): number {
    const { audit } = this.#ports;
    const unwritten = this.#unwritten === 0 ? {} : { unwritten: this.#unwritten };
    const seq = audit.append({ ...entry, ...unwritten }, this.now());
    this.#unwritten = 0;
    return seq;
  }
}

function pause(waitMs: number): void {
  if (waitMs > 0)
    throw new TransientError('too-many-requests', 'too many requests: wait', { retryAfterMs: waitMs });
}
