import { readableId } from '@bowline/messages';

/** The reason of a close is empty or JSON of at most 123 bytes (protocol, section 6); words for people say nothing. */
export function parseCloseReason(reason: Buffer): { id?: string; retryAfterMs?: number } {
  let value: unknown;
  try {
    value = JSON.parse(reason.toString());
  } catch {
    return {};
  }
  const id = readableId(value);
  const ms =
    typeof value === 'object' && value !== null && 'retryAfterMs' in value ? value.retryAfterMs : undefined;
  return {
    ...(id === null ? {} : { id }),
    ...(typeof ms === 'number' && ms >= 0 ? { retryAfterMs: ms } : {}),
  };
}
