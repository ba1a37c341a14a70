import { randomUUID } from 'node:crypto';
import type { Gap, Lane } from '@bowline/messages';
import type { ClockReading } from './age-clock.ts';
import { Draft, type StoredRecords } from './draft.ts';
import type { Environment } from './environment.ts';
import { reportCount } from './gap-report.ts';
import type { RecentRecord } from './journal.ts';
import { keysOf, segmentKey, stateKey } from './keys.ts';
import { LANES } from './lanes.ts';
import { jsonOf, jsonRecord, unseal } from './record.ts';
import { bytesOf, decodeSegment, encodeSegment, sizeOf, type Segment } from './segment.ts';
import { nextState, type StoreState } from './state.ts';
import { prepare, render, unrender } from './wire-message.ts';

/** About as much is written in one transaction: memory stays flat however large the backlog is. */
const CHUNK_BYTES = 4 * 2 ** 20;

export interface Renumbering {
  from: StoredRecords;
  /** Empty. */
  to: Environment;
  state: StoreState;
  now: ClockReading;
  wallMs: () => number;
}

/**
 * Copies a store under a new epoch: what waits is numbered from 1 in every lane, with the same ids (protocol, section 3).
 * What cannot be read is left behind, counted as dropped and reported by `gap`.
 *
 * @returns the state of the new store, durable in it.
 */
export async function renumber({ from, to, state, now, wallMs }: Renumbering): Promise<StoreState> {
  const renewed: StoreState = { ...nextState(state, now), epoch: randomUUID(), gaps: {} };
  const chunk = new Chunk(to);

  /** Old seqs in `results`: the new one is the place in this list, from 1. */
  const results: number[] = [];
  for (const lane of LANES) {
    await copyLane(from, chunk, lane, state.lanes[lane].first, renewed, lane === 'results' ? results : []);
  }
  for (const prefix of ['order', 'unfinished', 'dead', 'meta'] as const) {
    const { from: start, to: end } = keysOf(prefix);
    await copy(from, start, end, chunk, (key, record) => {
      if (unseal(key, record) !== undefined) chunk.put(key, record);
    });
  }
  const recent = keysOf('recent');
  await copy(from, recent.from, recent.to, chunk, (key, record) => {
    const value = jsonOf<RecentRecord>(key, record);
    if (value === undefined) return;
    const ackSeq = results.findLastIndex((seq) => seq <= value.ackSeq) + 1;
    chunk.put(key, jsonRecord(key, { ...value, ackSeq }, renewed.commit));
  });
  chunk.put(stateKey(), jsonRecord(stateKey(), renewed, renewed.commit));
  await chunk.flush();
  return reportLosses(to, state, renewed, now, wallMs);
}

class Chunk {
  #writes = new Map<string, Buffer>();
  #bytes = 0;
  readonly #to: Environment;

  constructor(to: Environment) {
    this.#to = to;
  }

  put(key: Buffer, record: Buffer): void {
    this.#writes.set(key.toString('latin1'), record);
    this.#bytes += record.length;
  }

  get full(): boolean {
    return this.#bytes >= CHUNK_BYTES;
  }

  async flush(): Promise<void> {
    await this.#to.commit(this.#writes);
    this.#writes = new Map();
    this.#bytes = 0;
  }
}

/** Visits the records in key order; between two transactions of the copy no cursor is open. */
async function copy(
  from: StoredRecords,
  start: Buffer,
  end: Buffer,
  chunk: Chunk,
  visit: (key: Buffer, record: Buffer) => void,
): Promise<void> {
  let next: Buffer | undefined = start;
  while (next !== undefined) {
    let resume: Buffer | undefined;
    for (const { key, record } of from.range(next, end)) {
      visit(key, record);
      if (!chunk.full) continue;
      resume = Buffer.concat([key, Buffer.from([0])]);
      break;
    }
    if (chunk.full) await chunk.flush();
    next = resume;
  }
}

async function copyLane(
  from: StoredRecords,
  chunk: Chunk,
  lane: Lane,
  first: number,
  renewed: StoreState,
  oldSeqs: number[],
): Promise<void> {
  const counters = Object.assign(renewed.lanes[lane], { first: 1, next: 1, messages: 0, bytes: 0 });
  await copy(from, segmentKey(lane, 0), segmentKey(lane, Number.MAX_SAFE_INTEGER), chunk, (key, record) => {
    const segment = decodeSegment(key, record);
    if (segment === undefined) return;
    const items: string[] = [];
    for (let seq = Math.max(first, segment.first); seq <= segment.last; seq += 1) {
      const json = renumbered(segment, seq, counters.next + items.length);
      if (json === undefined) continue;
      items.push(json);
      oldSeqs.push(seq);
    }
    if (items.length === 0) return;
    const sizes = items.map((item) => Buffer.byteLength(item));
    const at = { ageMs: segment.ageMs, commit: renewed.commit };
    const written = encodeSegment(lane, counters.next, items, sizes, at);
    chunk.put(written.key, written.record);
    counters.next += items.length;
    counters.messages += items.length;
    counters.bytes += sizes.reduce((sum, size) => sum + size, 0);
  });
}

function renumbered(segment: Segment, seq: number, as: number): string | undefined {
  if (sizeOf(segment, seq) === 0) return undefined;
  const message = unrender(bytesOf(segment, seq).toString());
  if (message === undefined) return undefined;
  if (message.type !== 'gap') return render(prepare(message), as);
  // The seqs that it names are those of the old epoch.
  const { from: _from, to: _to, ...gap } = JSON.parse(message.payloadJson) as Gap;
  return render(prepare({ ...message, payloadJson: JSON.stringify(gap) }), as);
}

async function reportLosses(
  to: Environment,
  before: StoreState,
  renewed: StoreState,
  now: ClockReading,
  wallMs: () => number,
): Promise<StoreState> {
  const draft = new Draft(to, renewed, now);
  for (const lane of LANES) {
    const lost = before.lanes[lane].messages - renewed.lanes[lane].messages;
    if (lost === 0) continue;
    draft.state.lanes[lane].dropped += lost;
    reportCount(draft, lane, lost, 'corrupt', wallMs);
  }
  if (!draft.changed) return renewed;
  await to.commit(draft.seal());
  return draft.state;
}
