import type { Lane } from '@bowline/messages';
import { jsonOf } from '@bowline/record-store';
import type { Draft, StoredRecords } from './draft.ts';
import { settleHead } from './lane-head.ts';
import { deadKey, keysOf, numberOfKey } from './keys.ts';
import type { Limits } from './limits.ts';
import type { DeadLetter } from './queue.ts';
import { seqOf } from './numbering.ts';
import { bytesOf, sizeOf } from './segment.ts';
import { prepare, render, unrender } from './wire-message.ts';

export type DeadLetterRecord = Omit<DeadLetter, 'number'>;

/** Of why it was refused: a list of all that are kept must fit into one answer. */
const LONGEST_CODE = 64;
const LONGEST_DETAIL = 256;

/** A message that waits in its lane. */
export interface Place {
  lane: Lane;
  seq: number;
}

/** Takes a waiting message out of its lane and keeps it as a dead letter. @returns whether it was there. */
export function bury(
  draft: Draft,
  { lane, seq }: Place,
  why: { id?: string; code: string; detail: string; at: number },
  limits: Limits,
): boolean {
  const stored = takeOut(draft, lane, seq);
  if (stored === undefined) return false;
  const wireSeq = seqOf(draft.state.numbering[lane], seq);
  const message = unrender(stored);
  const json = message === undefined ? stored : render(prepare(message), wireSeq);
  draft.state.lanes[lane].rejected += 1;
  const { dead } = draft.state;
  const number = dead.next;
  const { at } = why;
  const code = why.code.slice(0, LONGEST_CODE);
  const detail = why.detail.slice(0, LONGEST_DETAIL);
  const id = why.id ?? json.slice(7, json.indexOf('"', 7));
  dead.next += 1;
  dead.entries += 1;
  dead.bytes += draft.putJson(deadKey(number), {
    lane,
    seq: wireSeq,
    id,
    json,
    code,
    detail,
    at,
  } satisfies DeadLetterRecord);
  dropOldest(draft, limits);
  return true;
}

/** Forgets a dead letter. @returns what it was. */
export function removeDeadLetter(draft: Draft, number: number): DeadLetterRecord | undefined {
  const key = deadKey(number);
  const record = draft.get(key);
  if (record === undefined) return undefined;
  const letter = draft.getJson<DeadLetterRecord>(key);
  draft.remove(key);
  draft.state.dead.entries -= 1;
  draft.state.dead.bytes -= record.length;
  return letter;
}

function dropOldest(draft: Draft, { deadLetters, deadLetterBytes }: Limits): void {
  const { dead } = draft.state;
  if (dead.entries <= deadLetters && dead.bytes <= deadLetterBytes) return;
  for (const { key } of draft.stored('dead', deadKey(dead.first))) {
    if (dead.entries <= deadLetters && dead.bytes <= deadLetterBytes) return;
    removeDeadLetter(draft, numberOfKey(key));
    dead.first = numberOfKey(key) + 1;
    dead.forgotten = (dead.forgotten ?? 0) + 1;
  }
}

function takeOut(draft: Draft, lane: Lane, seq: number): string | undefined {
  const counters = draft.state.lanes[lane];
  if (seq < counters.first || seq >= draft.before.lanes[lane].next) return undefined;
  for (const segment of draft.segments(lane, seq)) {
    if (seq < segment.first || seq > segment.last) return undefined;
    const size = sizeOf(segment, seq);
    if (size === 0) return undefined;
    const json = bytesOf(segment, seq).toString();
    draft.changeSegment(lane, segment, seq, undefined);
    counters.messages -= 1;
    counters.bytes -= size;
    if (seq === counters.first || counters.messages === 0) settleHead(draft, lane);
    return json;
  }
  return undefined;
}

/** Looks for a message by its id among those that were read, and so may have been sent. */
export function findById(draft: Draft, lane: Lane, id: string, upTo: number): Place | undefined {
  const { first, messages } = draft.state.lanes[lane];
  if (messages === 0 || upTo < first) return undefined;
  const wanted = Buffer.from(`{"id":"${id}"`);
  for (const segment of draft.segments(lane, first)) {
    if (segment.first > upTo) return undefined;
    if (!segment.data.includes(wanted)) continue;
    for (let seq = Math.max(first, segment.first); seq <= segment.last; seq += 1) {
      if (sizeOf(segment, seq) > 0 && bytesOf(segment, seq).subarray(0, wanted.length).equals(wanted)) {
        return { lane, seq };
      }
    }
  }
  return undefined;
}

/** Newest first. */
export function readDeadLetters(stored: StoredRecords, limit: number): DeadLetter[] {
  const { from } = keysOf('dead');
  const letters: DeadLetter[] = [];
  for (const { key, record } of stored.rangeDown(deadKey(Number.MAX_SAFE_INTEGER), from)) {
    if (letters.length >= limit) break;
    const letter = jsonOf<DeadLetterRecord>(key, record);
    if (letter !== undefined) letters.push({ number: numberOfKey(key), ...letter });
  }
  return letters;
}
