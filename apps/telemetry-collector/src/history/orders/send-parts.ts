import type { Cursor, HistorySource } from './item.ts';
import { packParts, type PackedPart } from './pack-parts.ts';

/** How far an answer or an upload came, kept over restarts: part `part` begins at the cursor. */
export interface PartsProgress {
  part: number;
  cursor: Cursor;
  bytes: number;
  items: number;
}

export interface PartsDesk {
  /** Waits until the gateway has room. */
  room(): Promise<void>;
  /** Whether to end before the sum is this large; without it all goes. */
  isEnough?(bytes: number): boolean;
  /** Of JSON in one part, if that is to be less than usual. */
  partBytes?: number;
  /** Durable when it returns: what is sent next begins there. @param bytes the sum with it; may throw. */
  note(progress: PartsProgress, bytes: number): void;
  /** Resolves when the part is on the gateway's disk. */
  send(part: { part: number; last: boolean } & PackedPart['payload']): Promise<void>;
  told?(progress: PartsProgress): void;
}

/**
 * Sends what a source holds, part after part, from where it came to. A part that was under way when the power went is sent again
 * under its number.
 */
export async function sendParts(
  source: HistorySource,
  from: PartsProgress,
  desk: PartsDesk,
  signal: AbortSignal,
): Promise<PartsProgress> {
  const parts = packParts(source.items(from.cursor, signal), from.cursor, desk.partBytes);
  try {
    return await sendAll(parts, from, desk);
  } finally {
    // What it reads from is closed, however this ends.
    await parts.return(undefined);
  }
}

async function sendAll(
  parts: AsyncGenerator<PackedPart, void>,
  from: PartsProgress,
  desk: PartsDesk,
): Promise<PartsProgress> {
  let state = from;
  let held = (await parts.next()).value ?? undefined;
  while (held !== undefined) {
    const bytes = state.bytes + held.bytes;
    const next: PackedPart | undefined = (await parts.next()).value ?? undefined;
    const following = next !== undefined && desk.isEnough?.(bytes + next.bytes) !== true ? next : undefined;
    await desk.room();
    desk.note(state, bytes);
    await desk.send({ part: state.part, last: following === undefined, ...held.payload });
    state = { part: state.part + 1, cursor: held.next, bytes, items: state.items + held.items };
    desk.told?.(state);
    held = following;
  }
  return state;
}
