/** What the server asks of devices and allows them (protocol, sections 3 and 4). */
export interface LinkLimits {
  /** Seconds between heartbeats; the device clamps it to 5–300. */
  heartbeatSeconds: number;
  /** Largest frame from a device, bytes; before welcome it is 64 KiB at most. */
  frameBytes: number;
  /** What may be on its way without a receipt. At most 100 ms pass between receipts, so this bounds a device's rate. */
  inflightMessages: number;
  inflightBytes: number;
  /** Pace of lane `history`, messages a second. */
  replayPerSecond: number;
  /** When devices come back after a restart of the server, milliseconds. */
  reconnect: { minMs: number; maxMs: number };
}

export const DEFAULT_LINK_LIMITS: LinkLimits = {
  heartbeatSeconds: 30,
  frameBytes: 64 * 1024,
  inflightMessages: 16_384,
  inflightBytes: 8 * 1024 * 1024,
  replayPerSecond: 2000,
  reconnect: { minMs: 250, maxMs: 5000 },
};

/** Largest frame before a welcome has said otherwise. */
export const FIRST_FRAME_BYTES = 64 * 1024;

/** Fixed by the protocol (sections 3 and 4), milliseconds. */
export const HELLO_DEADLINE_MS = 10_000;
export const RECEIPT_EVERY_MS = 100;
export const PING_AFTER_MS = 30_000;
export const SILENT_AFTER_MS = 60_000;
export const STALLED_AFTER_MS = 60_000;
