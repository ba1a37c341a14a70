import type { Order } from '@bowline/messages';

/** By what the device calls the end of a session (docs/ssh.md). */
const WORDS: Record<string, string> = {
  expired: 'The time of the session was up.',
  idle: 'Nothing moved for as long as the session may be idle: it was ended.',
  cancelled: 'Somebody cancelled the order of the session.',
  'ended-by-operator': 'Somebody ended the session.',
};

/** Why a session whose order has ended did so, in one sentence; empty if there is no more to say. */
export function whyEnded({ result, error }: Pick<Order, 'result' | 'error'>): string {
  if (error !== undefined) return `The session was cut off: ${error.message}.`;
  const { end } = (result ?? {}) as { end?: unknown };
  return WORDS[String(end)] ?? '';
}
