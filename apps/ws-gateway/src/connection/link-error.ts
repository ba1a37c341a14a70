import { TransientError } from '@bowline/runtime/errors';
import type { LinkStage } from './connection-state.ts';

/** An attempt that did not become a socket. */
export class LinkError extends TransientError {
  readonly stage: LinkStage;
  /** HTTP status of a refused upgrade. */
  readonly status: number | undefined;
  /** Of a 401's problem document, epoch milliseconds: the device signs once more with it. */
  readonly serverTime: number | undefined;

  constructor(
    code: string,
    message: string,
    facts: { stage: LinkStage; status?: number; serverTime?: number; retryAfterMs?: number; cause?: unknown },
  ) {
    super(code, message, {
      cause: facts.cause,
      ...(facts.retryAfterMs === undefined ? {} : { retryAfterMs: facts.retryAfterMs }),
    });
    this.stage = facts.stage;
    this.status = facts.status;
    this.serverTime = facts.serverTime;
  }
}
