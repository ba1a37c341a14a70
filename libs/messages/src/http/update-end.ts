import type { Order } from './operators.ts';

/** More than the updater sends (apps/ota-updater, last-lines.ts); who shows it does not rely on that. */
const MOST_LINES = 20;
const MOST_CHARS = 400;

/** What a device tells of an update that did not succeed, beside the error. */
export interface UpdateEnd {
  /** What the program that failed has written last, without secrets. */
  lines: string[];
  /** Why the device is not well now: what stood there before is not either. */
  degraded?: string;
}

/** Of an order that ended; nothing of one that is of another type, or succeeded. */
export function updateEndOf({ type, status, result }: Pick<Order, 'type' | 'status' | 'result'>): UpdateEnd {
  if (type !== 'softwareUpdate' || status !== 'failed') return { lines: [] };
  const { log, degraded } = Object(result) as { log?: unknown; degraded?: unknown };
  return {
    lines: Array.isArray(log) ? log.slice(-MOST_LINES).map((line) => String(line).slice(0, MOST_CHARS)) : [],
    ...(typeof degraded === 'string' ? { degraded: degraded.slice(0, 1000) } : {}),
  };
}
