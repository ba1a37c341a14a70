const MIB = 1024 * 1024;

/** Bounds of one connection (invariant 5). Both ends use the same defaults. */
export interface IpcLimits {
  /** Largest frame, bytes of JSON; default 4 MiB. A larger one ends the connection that it came on. */
  frameBytes: number;
  /**
   * How long a frame may stay incomplete, milliseconds; default 60,000: above the store's commit deadline (30 s), for
   * which reading may pause.
   */
  incompleteFrameMs: number;
  /** Most bytes of requests and notifications that the kernel has not taken yet; default 8 MiB, at least a frame. */
  windowBytes: number;
  /** Most requests of ours that wait for their answer; default 1,024. */
  outstandingRequests: number;
  /** With more requests of the other side in work than this, we stop reading until some are answered; default 1,024. */
  requestsInWork: number;
  /** The same in bytes; default 16 MiB. */
  bytesInWork: number;
  /** Most calls of `enqueue` that wait for the hub; default 1,024. */
  waitingCalls: number;
  /** Most bytes of such calls; default 16 MiB. One call may always wait. */
  waitingBytes: number;
}

export const DEFAULT_LIMITS: IpcLimits = {
  frameBytes: 4 * MIB,
  incompleteFrameMs: 60_000,
  windowBytes: 8 * MIB,
  outstandingRequests: 1024,
  requestsInWork: 1024,
  bytesInWork: 16 * MIB,
  waitingCalls: 1024,
  waitingBytes: 16 * MIB,
};

/** The defaults with what a caller sets; a window holds a frame at least, or nothing could ever be sent. */
export function limitsFrom(given: Partial<IpcLimits> = {}): IpcLimits {
  const limits = { ...DEFAULT_LIMITS, ...given };
  return { ...limits, windowBytes: Math.max(limits.windowBytes, limits.frameBytes) };
}

/** Answers may use the window and one frame more: a full window of ours must not silence us towards the other side. */
export const answerWindowBytes = (limits: IpcLimits) => limits.windowBytes + limits.frameBytes;

/** node-ipc ends a connection for good beyond this; our windows stay a frame below, which is room for the framing. */
export const maxPendingBytes = (limits: IpcLimits) => answerWindowBytes(limits) + limits.frameBytes;

/** What a frame's own brackets, commas and names may add to the messages in it, generously. */
export const FRAMING_BYTES = 1024;
