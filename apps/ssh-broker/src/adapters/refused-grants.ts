import type { Refusal } from '@bowline/device-app';
import type { Clock, Timer } from '@bowline/runtime/clock';
import { Pace, type Rate } from '../core/pace.ts';
import type { AuditJournal } from './audit-journal.ts';

export interface RefusedGrant {
  orderId: string;
  /** Of the key that signed it; undefined where that does not count. Then what the grant says of itself is hearsay. */
  signer: string | undefined;
  said: Record<string, unknown>;
}

/** What is kept of the grant. */
const SAID = ['sessionId', 'user', 'by', 'reason'];
/** Others wrote it. */
const LONGEST = 200;

/**
 * Refused grants in the audit: an entry each while they are few. Whoever sends a flood of them gets one entry now and then with
 * their number, so that he pushes nothing out of journal or lane.
 */
export class RefusedGrants {
  readonly #audit: Pick<AuditJournal, 'note'>;
  readonly #clock: Clock;
  readonly #rate: () => Rate;
  readonly #pace = new Pace();
  /** Without an entry yet: how many, by code. */
  readonly #counted = new Map<string, number>();
  #firstOrderId = '';
  #lastOrderId = '';
  #timer: Timer | undefined;

  constructor(audit: Pick<AuditJournal, 'note'>, clock: Clock, rate: () => Rate) {
    this.#audit = audit;
    this.#clock = clock;
    this.#rate = rate;
  }

  note({ code, message }: Refusal, { orderId, signer, said }: RefusedGrant): void {
    if (this.#counted.size > 0 || !this.#mayWrite()) return this.#count(code, orderId);
    const told = SAID.flatMap((name) => {
      const value = said[name];
      return typeof value === 'string' ? [[name, value.slice(0, LONGEST)]] : [];
    });
    const by = signer === undefined ? {} : { signer };
    const data = { orderId, code, why: message.slice(0, LONGEST), ...Object.fromEntries(told), ...by };
    this.#audit.note('ssh.refused', data, { severity: 'warning' });
  }

  /** Writes down those that were only counted. */
  flush(): void {
    this.#timer?.cancel();
    if (this.#counted.size === 0) return;
    const count = [...this.#counted.values()].reduce((sum, each) => sum + each, 0);
    const codes = [...this.#counted].map(([code, times]) => `${code} ${times}`).join(', ');
    this.#counted.clear();
    const data = { count, codes, firstOrderId: this.#firstOrderId, lastOrderId: this.#lastOrderId };
    this.#audit.note('ssh.refused-more', data, { severity: 'warning' });
  }

  #mayWrite(): boolean {
    return this.#pace.take(this.#clock.monotonicMs(), this.#rate());
  }

  #count(code: string, orderId: string): void {
    if (this.#counted.size === 0) {
      this.#firstOrderId = orderId;
      this.#timer = this.#clock.after(this.#rate().everyMs, () => {
        this.#mayWrite(); // it takes the place of one
        this.flush();
      });
    }
    this.#lastOrderId = orderId;
    this.#counted.set(code, (this.#counted.get(code) ?? 0) + 1);
  }
}
