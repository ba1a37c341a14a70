import type { CompactionLimits } from './compaction.ts';
import type { AckStatus, Lane, LedgerEntry } from '@bowline/messages';

/**
 * The durable store of a device: outbox lanes, order journal, dead letters, ledger. One process opens it (the gateway).
 *
 * All writes go through {@link DurableQueue.commit}: whatever callers hand in while a transaction is being flushed
 * becomes the next one (group commit), and everything of one call lands in the same transaction or not at all.
 */
export interface DurableQueue {
  /** Random UUID of this store's life; a new one when the store is new, lost or restored (protocol, section 3). */
  readonly epoch: string;

  /** What had to be done to a damaged store when it was opened; undefined as a rule. To be told to the operators. */
  readonly recovery: Recovery | undefined;

  /**
   * Resolves once the whole batch is on disk.
   *
   * @throws RejectedError `lane-full` (results, events), `journal-full`, `message-too-large`, `disk-full`, `out-of-order`,
   *   ContractError `invalid-message`, TransientError `store-busy` (more waits for the disk than memory may hold): nothing
   *   of the batch was stored. InternalError `commit-failed`: the store is unusable, the process should exit.
   */
  commit(batch: WriteBatch): Promise<CommitResult>;

  /**
   * Stored messages of a lane after `afterSeq`, ascending, at least one if there is any. A plain read of what is
   * durable: call it when there is room in the window.
   */
  read(lane: Lane, afterSeq: number, limit: { messages: number; bytes: number }): StoredMessage[];

  /**
   * As {@link read}, for a `batch` frame: consecutive messages after `afterSeq`, at least one, as they stand between the
   * frame's brackets; at least half of what the limits allow, if there are as many. Nothing is parsed.
   */
  cut(lane: Lane, afterSeq: number, limit: { messages: number; bytes: number }): BatchCut | undefined;

  /** What the outbox still holds of each lane lies in [first, next); empty: first = next. */
  lanes(): Record<Lane, LaneState>;

  /**
   * Whether what is stored may be sent from now on. While it may, every commit, the next one in any case, also writes how
   * far each lane may have been sent: a store that was set back to an older state shows by it what it can never have sent
   * (protocol, section 3: a device never deletes beyond that).
   */
  offering(on: boolean): void;

  /** accepted = receipted + expired + dropped + rejected + waiting, at any moment (invariant 1). */
  ledger(): Record<Lane, LedgerEntry>;

  order(orderId: string): JournalEntry | undefined;
  /** Orders that have not ended, in order of their seq. */
  unfinishedOrders(): JournalEntry[];
  /** Newest first. */
  recentOrders(limit: number): JournalEntry[];
  /** Highest downlink seq stored durably, and the server epoch that it belongs to. */
  downlink(): DownlinkState;

  deadLetters(limit: number): DeadLetter[];
  /** How many went for want of room, the oldest first, since the store was made. */
  forgottenDeadLetters(): number;

  /** Small durable values of the gateway itself (attempt count of the link, trusted time, …); capped at 4 KiB each. */
  meta(key: string): string | undefined;

  /** A JSON value of the device's configuration, by its name: documents of the cloud, and which of them is in force. */
  config(name: string): unknown;

  /**
   * Takes a new epoch and renumbers what the outbox holds from seq 1 in every lane, with the same ids (protocol, section 3:
   * the store was restored from an older state). Durable when it resolves; `epoch` then reads anew. Writes one small record,
   * however much waits, unless messages were taken out of more than 63 places in the middle of one lane: then all is copied.
   *
   * @throws RejectedError `disk-full`: not even the room that is kept for this is there, or none for such a copy; nothing has
   *   changed, and it can be tried again. InternalError `commit-failed`.
   */
  renewEpoch(): Promise<void>;

  /**
   * Makes the file smaller if that is worth the while; done by itself when it is opened and once a minute.
   *
   * @param limits instead of those that it was opened with.
   */
  compact(limits?: CompactionLimits): Promise<void>;

  /** Size of the file, bytes. It grows and shrinks in steps of its own. */
  fileBytes(): number;

  /** Waits for commits under way, then closes the environment. */
  close(): Promise<void>;
}

export interface WriteBatch {
  /** New messages; each list gets consecutive seqs in its lane. */
  enqueue?: { lane: Lane; messages: readonly (NewMessage | WrittenMessage)[] }[];
  /**
   * Makes a repeated call harmless: if `batch` is not above the highest one stored for this app's producer, nothing is
   * written and the result says `duplicate`. With `after`, the batch is stored only if that one is the highest.
   */
  producer?: { app: string; id: string; batch: number; after?: number };
  /**
   * Cumulative: deletes everything of the lane up to and including the seq. As with `setAside`, the seqs are those of the
   * epoch in which the call is made; if the store takes a new one before it gets to it, they are ignored.
   */
  receipts?: Partial<Record<Lane, number>>;
  /**
   * Final rejects by the server: the message moves to the dead letters. Looked for among what was read since the store
   * was opened; an id that is not there is ignored. A lane, if known, saves looking through the others.
   */
  rejects?: { id: string; lane?: Lane; code: string; detail: string }[];
  /** Messages that can never be sent: to the dead letters, with a `gap` in the same transaction (protocol, 3 and 6). */
  setAside?: { lane: Lane; seq: number; reason: 'too-large' | 'corrupt'; detail: string }[];
  /** By an operator: sends dead letters again (same id, new seq), or forgets them. Unknown numbers are ignored. */
  deadLetters?: { resend?: number[]; purge?: number[] };
  /** New or changed journal entries, whole. */
  journal?: JournalEntry[];
  downlink?: DownlinkState;
  meta?: Record<string, string>;
  /** Values for {@link DurableQueue.config}; null forgets one. */
  config?: Record<string, object | null>;
}

export interface CommitResult {
  duplicate: boolean;
  /** For each element of `enqueue`, the seqs that its messages got; `to < from` where the list was empty. */
  seqs: { lane: Lane; from: number; to: number }[];
}

export interface NewMessage {
  /** UUIDv7; the dedupe key, the same for every retry. */
  id: string;
  type: string;
  /** Epoch milliseconds on the sender's clock. */
  sentAt: number;
  /** The payload, already validated, as JSON text: it is never parsed again on its way out. */
  payloadJson: string;
}

/** A message whose text is there already: stored and sent as it is, but for its seq. */
export interface WrittenMessage {
  id: string;
  type: string;
  sentAt: number;
  /** `{"id":…,"type":…,"sentAt":…,"payload":{…}}`, in this order and without white space outside the payload. */
  text: string;
}

export interface StoredMessage {
  lane: Lane;
  seq: number;
  id: string;
  /** `{"id":…,"type":…,"seq":…,"sentAt":…,"payload":…}` without lane: as it stands inside a `batch` frame. */
  json: string;
  /** Length of `json` in bytes. */
  bytes: number;
}

/** Consecutive messages of a lane, without holes. */
export interface BatchCut {
  lane: Lane;
  from: number;
  to: number;
  messages: number;
  /** Their JSON, joined by commas, UTF-8. A view: use it before the store is read again, and before the next await. */
  body: Buffer;
}

export interface LaneState {
  first: number;
  next: number;
  /** Highest seq that may have been sent in this epoch. */
  offered: number;
  messages: number;
  bytes: number;
  /** `sentAt` of the oldest message that waits. */
  oldestAt?: number;
}

/** Everything durable about one order (protocol, section 4). */
export interface JournalEntry {
  orderId: string;
  seq: number;
  /** An order type, or what the server sent as one: an unknown type is journalled and rejected. */
  type: string;
  /** The order's payload as JSON text. */
  payloadJson: string;
  status: Exclude<AckStatus, 'progress'>;
  /** 0 before `started`, then 1, 2 … */
  attempt: number;
  receivedAt: number;
  endedAt?: number;
  expiresAt?: number;
  /** Boot in which `started` was written, to tell a reboot from a crash. */
  startedBootId?: string;
  resultJson?: string;
  error?: { code: string; message: string };
}

export interface DownlinkState {
  received: number;
  serverEpoch?: string;
}

export interface DeadLetter {
  /** Names it in {@link WriteBatch.deadLetters}. */
  number: number;
  lane: Lane;
  seq: number;
  id: string;
  json: string;
  code: string;
  detail: string;
  at: number;
}

/** How a damaged store was replaced by what could be saved of it. */
export interface Recovery {
  /**
   * - `mended`: single records were damaged; same epoch, a `gap` names each lost seq;
   * - `salvaged`: the file could not be relied on; new epoch, renumbered, a `gap` for every lane.
   */
  kind: 'mended' | 'salvaged';
  /** What was found. */
  detail: string;
  /** Messages lost of each lane, as far as that is known. */
  lost: Record<Lane, number>;
  /** Where the damaged file lies. */
  quarantine: string;
}

/** How to open the store. */
export interface QueueOptions {
  /** Folder of the store, created 0700 if absent. */
  folder: string;
  /** Wall clock, epoch milliseconds: stamps only, never a decision. */
  wallMs: () => number;
  /** Caps of each lane; where one says nothing, that of DEFAULT_LANE_LIMITS. */
  lanes?: Partial<Record<Lane, Partial<LaneLimits>>>;
  /**
   * The program of the child process that checks the store before it is opened. Default: `scrub-child.ts` of this library;
   * in a bundle `scrub.js` beside the main file (an entry that calls `scrub` of '@bowline/durable-queue/scrub').
   */
  scrubScript?: string;
  /** Server time, epoch milliseconds, if it is known since this process began: decides what of the journal may go. */
  serverMs?: () => number | undefined;
  /** Milliseconds since boot, never jumping; default the kernel's monotonic clock. */
  monotonicMs?: () => number;
  /** Names the boot that `monotonicMs` counts from; default the kernel's. */
  bootId?: string;
  /** Most entries of the journal; default 10,000 (protocol, section 4). */
  journalEntries?: number;
  /** Most bytes of the journal; default 64 MiB. A change of an accepted order is taken above it, too. */
  journalBytes?: number;
  /** Most dead letters kept; the oldest go first. Default 1,000. */
  deadLetters?: number;
  /** Most bytes of dead letters; default 16 MiB. */
  deadLetterBytes?: number;
  /** Largest message, bytes of its JSON; default 1 MiB, the largest frame a server may take. */
  messageBytes?: number;
  /** Most bytes handed in and not yet on disk; above it a commit is refused `store-busy`. Default 64 MiB. */
  pendingBytes?: number;
  /** When the file is compacted; default above 32 MiB, when it is 4 times what it holds, and that at most 64 MiB. */
  compaction?: CompactionLimits;
  /**
   * Bytes of the disk that samples may not take; events and new orders may take half of it. Default 16 MiB, at most a
   * twentieth of the file system.
   */
  diskReserveBytes?: number;
  /**
   * Only for the control of a test that cuts the power: promises before anything is on disk, so such a test must find
   * promises broken.
   */
  noSync?: boolean;
  /** A commit that takes longer fails all its callers; default 30,000 ms. */
  commitDeadlineMs?: number;
}

export interface LaneLimits {
  messages: number;
  bytes: number;
  /** Older ones expire, with a `gap`; on a clock that only counts what has passed for sure. 0 or absent: never. */
  ageMs?: number;
}
