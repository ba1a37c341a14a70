import { type BowlineError, ContractError, TransientError } from '@bowline/runtime';

/** Statuses of refusals that are not 403. */
const STATUS: Record<string, number> = {
  unauthorized: 401,
  'no-key': 409,
  'approval-used': 410,
  'approval-expired': 410,
  'too-many-requests': 429,
};

/** With which status an error is told. */
export function statusOf(error: BowlineError): number {
  if (error instanceof ContractError) return 400;
  return STATUS[error.code] ?? (error instanceof TransientError ? 503 : 403);
}
