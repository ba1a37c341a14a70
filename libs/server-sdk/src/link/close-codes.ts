/** WebSocket close codes and what a server means by them (protocol, section 6). */
export const CLOSE = {
  normal: 1000,
  binaryFrame: 1003,
  textFrame: 1003,
  notJson: 1007,
  tooLarge: 1009,
  restarting: 1012,
  overloaded: 1013,
  tokenRefused: 4401,
  deviceRefused: 4403,
  noCommonVersion: 4406,
  timeout: 4408,
  replaced: 4409,
  sessionOver: 4410,
  tooMany: 4429,
} as const;
export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE];

/** A reason is empty or JSON of at most 123 bytes. */
export const closeReason = (facts: { id?: string; retryAfterMs?: number } = {}): string =>
  Object.keys(facts).length === 0 ? '' : JSON.stringify(facts);
