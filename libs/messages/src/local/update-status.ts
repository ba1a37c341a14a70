/** Where an update is, for people: acks of progress, `bowline update status`, the console. */
export interface UpdateFigures {
  /** Of the updater's state machine (docs/releases.md). */
  phase: string;
  /** Of the whole way, 0 to 100. */
  percent: number;
  /** Of what is fetched. */
  bytes?: number;
  totalBytes?: number;
  bytesPerSecond?: number;
  remainingSeconds?: number;
  /** Why it does not go on, or what it does. */
  note?: string;
}

export interface UpdateOfStatus {
  orderId: string;
  phase: string;
  at: number;
  /** Why it waits. */
  why?: string;
  plan?: { name: string; version: string; fetchBytes: number; reusedBytes: number };
  /** `log`: what the program that failed has written last. */
  failure?: { code: string; message: string; log?: string[] };
  preview?: Record<string, unknown>;
  order: { name?: string; version?: string };
}

/** `status.json` of the updater's state folder, as `bowline update` reads it. Moments are epoch milliseconds. */
export interface UpdateStatus {
  at: number;
  /** Those that are not over, and the last that are, oldest first. */
  updates: UpdateOfStatus[];
  /** By name. */
  installed: Record<string, { version: string; digest: string; kind: string; at: number }>;
  /** What failed here and is refused from now on, by digest. */
  denied: Record<string, { name: string; version: string; code: string; message: string; at: number }>;
  /** By order, of what is under way. */
  progress: Record<string, UpdateFigures>;
}
