import type { Lane } from '@bowline/messages';
import type { EnvironmentOptions } from '@bowline/record-store';
import { RejectedError } from '@bowline/runtime/errors';
import { forEachLane } from './lanes.ts';
import type { LaneLimits, QueueOptions } from './queue.ts';

const MIB = 2 ** 20;
const DAY_MS = 24 * 60 * 60 * 1000;

/** Caps of each lane, 832 MiB together. Results and events refuse when full; the others drop their oldest. */
export const DEFAULT_LANE_LIMITS: Readonly<Record<Lane, LaneLimits>> = {
  results: { messages: 50_000, bytes: 256 * MIB },
  events: { messages: 100_000, bytes: 32 * MIB },
  telemetry: { messages: 100_000, bytes: 32 * MIB, ageMs: 30 * DAY_MS },
  history: { messages: 2_000_000, bytes: 512 * MIB, ageMs: 30 * DAY_MS },
};

/** Acks that an accepted order may need, for which `results` keeps room (protocol, section 4), and their bytes together. */
export const ACKS_PER_ORDER = 5;
/** Four of a kilobyte and the last, with a result of 32 KiB. */
export const ACK_BYTES_PER_ORDER = 40 * 1024;
/** So many starts are among them; what an order has to say beyond its acks takes nothing of other orders' room. */
export const STARTS_PER_ORDER = ACKS_PER_ORDER - 2;

/** Room in `events`, above its caps, that only gap reports may use. */
export const GAP_MESSAGES = 1024;
export const GAP_BYTES = 512 * 1024;

/** When a lane overflows, this share of it goes at once: one gap report for many dropped messages. */
export const DROP_SHARE = 1 / 64;

/** How long an order's entry is kept after its end, at least (protocol, section 4). */
export const JOURNAL_KEEP_MS = 7 * DAY_MS;
/** Most journal entries that one commit looks at or evicts to make room. */
export const EVICTIONS_PER_COMMIT = 64;

/** Longest value of {@link DurableQueue.meta}, bytes. */
export const META_BYTES = 4096;

export interface Limits {
  lanes: Record<Lane, LaneLimits>;
  journalEntries: number;
  journalBytes: number;
  deadLetters: number;
  deadLetterBytes: number;
  messageBytes: number;
  pendingBytes: number;
}

export function limitsOf(options: QueueOptions): Limits {
  return {
    lanes: forEachLane((lane) => ({ ...DEFAULT_LANE_LIMITS[lane], ...options.lanes?.[lane] })),
    journalEntries: options.journalEntries ?? 10_000,
    journalBytes: options.journalBytes ?? 64 * MIB,
    deadLetters: options.deadLetters ?? 1_000,
    deadLetterBytes: options.deadLetterBytes ?? 16 * MIB,
    messageBytes: options.messageBytes ?? MIB,
    pendingBytes: options.pendingBytes ?? 64 * MIB,
  };
}

export const laneFull = (lane: Lane): RejectedError =>
  new RejectedError('lane-full', `the lane ${lane} is full; what waits there must be delivered first`, {
    details: { lane },
  });

export const diskFull = (cause?: unknown): RejectedError =>
  new RejectedError('disk-full', 'the disk is full; nothing of this was stored', { cause });

/** How the store of these options is opened for writing. */
export const environmentOptions = ({ noSync, commitDeadlineMs }: QueueOptions): EnvironmentOptions => ({
  ...(noSync === undefined ? {} : { noSync }),
  ...(commitDeadlineMs === undefined ? {} : { commitDeadlineMs }),
});
