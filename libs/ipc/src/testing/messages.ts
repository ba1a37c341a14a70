import type { NewMessage } from '../enqueuer.ts';

/** A UUIDv7 that says which message it is. */
export const messageId = (n: number) => `01900000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;

/** A telemetry message that carries `n`, of at least `bytes` bytes. */
export const telemetry = (n: number, bytes = 0): NewMessage => ({
  id: messageId(n),
  type: 'telemetry',
  sentAt: 1_767_225_600_000,
  payload: { n, filler: 'x'.repeat(bytes) },
});

export const silentLog = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLog,
};
