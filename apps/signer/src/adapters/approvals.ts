import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '@bowline/runtime';
import { AccessApprovals, type Approval } from '../core/access-approvals.ts';
import type { SignerConfig } from '../config.ts';

const CODE_BYTES = 16;

/** Approvals of people by the code that each was told; of the code only the hash is kept. */
export class Approvals {
  readonly validMs: number;
  readonly #clock: Clock;
  readonly #approvals: AccessApprovals;

  constructor(clock: Clock, config: SignerConfig['approvals']) {
    this.validMs = config.validMs;
    this.#clock = clock;
    this.#approvals = new AccessApprovals(config);
  }

  /** @returns the code. */
  add(approved: Pick<Approval, 'operator' | 'wish' | 'seq'>): string {
    const code = randomBytes(CODE_BYTES).toString('base64url');
    this.#approvals.add(hashOf(code), approved, this.#clock.monotonicMs());
    return code;
  }

  find(code: string): ReturnType<AccessApprovals['find']> {
    return this.#approvals.find(hashOf(code), this.#clock.monotonicMs());
  }

  /** Until when it is good, by the wall clock. */
  endOf({ endsAtMs }: Approval): number {
    return Math.round(this.#clock.wallMs() + endsAtMs - this.#clock.monotonicMs());
  }
}

const hashOf = (code: string): string => createHash('sha256').update(code).digest('hex');
