/**
 * Errors are classed by who must act on them (docs/errors.md lists every code, and a test compares both).
 *
 * Across IPC, HTTP and the wire goes {@link WireError}, never a stack.
 */
export interface WireError {
  code: string;
  message: string;
  retryable: boolean;
}

export interface ErrorDetails {
  /** Further facts for the log line; no secrets. */
  details?: Record<string, unknown>;
  cause?: unknown;
}

export abstract class BowlineError extends Error {
  abstract readonly retryable: boolean;
  readonly code: string;
  readonly details: Record<string, unknown>;

  constructor(code: string, message: string, { details = {}, cause }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
    this.details = details;
  }

  toWire(): WireError {
    return { code: this.code, message: this.message, retryable: this.retryable };
  }
}

/** A bug of ours: the process logs it, exits and is started anew. */
export class InternalError extends BowlineError {
  readonly retryable = false;
}

/** The operator must mend a setting: the process stays up as `misconfigured` and watches the file. */
export class ConfigError extends BowlineError {
  readonly retryable = false;
}

/** The other side sent something that breaks the contract: rejected and counted, never forwarded. */
export class ContractError extends BowlineError {
  readonly retryable = false;
}

/** It may work later: back off and try again. */
export class TransientError extends BowlineError {
  readonly retryable = true;
  /** How long the other side asked us to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, details: ErrorDetails & { retryAfterMs?: number } = {}) {
    super(code, message, details);
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** A final "no" to whoever asked. */
export class RejectedError extends BowlineError {
  readonly retryable = false;
}

/** Somebody called it off: stop quietly. */
export class CancelledError extends BowlineError {
  readonly retryable = false;
}

/** What may be told to another process about any thrown value. */
export function toWireError(error: unknown): WireError {
  if (error instanceof BowlineError) return error.toWire();
  return {
    code: 'internal',
    message: 'internal error; see the log of the process that answered',
    retryable: false,
  };
}

/** The other half of {@link toWireError}: an error that came over IPC or HTTP, as one of our classes again. */
export function fromWireError({ code, message, retryable }: WireError): BowlineError {
  return retryable ? new TransientError(code, message) : new RejectedError(code, message);
}

/** Narrows an error of Node's own by its code, e.g. `hasCode(error, 'ENOENT')`. */
export function hasCode(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
