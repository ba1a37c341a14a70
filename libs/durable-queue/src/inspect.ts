import { inspectFile, jsonOf, unseal, type Environment, type FileInspection } from '@bowline/record-store';
import { hasEnded, type OrderRecord, type RecentRecord } from './journal.ts';
import { keysOf, parseSegmentKey, stateKey, type Prefix } from './keys.ts';
import { forEachLane, LANES } from './lanes.ts';
import { currentState, SCHEMA_VERSION } from './migrations.ts';
import { decodeSegment, sizeOf } from './segment.ts';
import type { StoreState } from './state.ts';

/**
 * Reads everything in a store that nobody else has open. May end the process: LMDB believes what it reads, so this belongs
 * into a child.
 */
export function inspect(file: string): Promise<FileInspection> {
  return inspectFile(file, inspectRecords);
}

function inspectRecords(env: Environment): FileInspection {
  const record = env.get(stateKey());
  const stored = record === undefined ? undefined : jsonOf<StoreState>(stateKey(), record);
  if (stored === undefined) return { verdict: 'unreadable', detail: 'the state is damaged' };
  // What a newer program wrote is not for this one to judge; opening it refuses.
  if (stored.schema > SCHEMA_VERSION) return { verdict: 'sound', detail: '' };
  const state = currentState(stored);

  const lanes = inspectLanes(env, state);
  if (lanes?.verdict === 'unreadable') return lanes;
  const detail = lanes?.detail ?? inspectJournal(env, state) ?? inspectDead(env, state) ?? inspectMeta(env);
  return detail === undefined ? { verdict: 'sound', detail: '' } : { verdict: 'damaged', detail };
}

function inspectLanes(env: Environment, state: StoreState): FileInspection | undefined {
  let damage: string | undefined;
  const found = forEachLane((lane) => ({ messages: 0, bytes: 0, expected: state.lanes[lane].first }));
  const { from, to } = keysOf('segment');
  for (const { key, record } of env.views(from, to)) {
    const { lane } = parseSegmentKey(key);
    const segment = decodeSegment(key, record);
    if (segment === undefined || lane === undefined) {
      damage ??= `a segment in lane ${lane ?? '?'} is damaged`;
      continue;
    }
    const counters = state.lanes[lane];
    const held = found[lane];
    // Its numbers were given out although the state does not know: the state is an older one, brought back.
    if (segment.last >= counters.next)
      return { verdict: 'unreadable', detail: `the state is older than lane ${lane}` };
    if (segment.last < counters.first || segment.first > held.expected) {
      damage ??= `segments in lane ${lane} are missing or left over`;
    }
    for (let seq = Math.max(segment.first, counters.first); seq <= segment.last; seq += 1) {
      const size = sizeOf(segment, seq);
      held.messages += Number(size > 0);
      held.bytes += size;
    }
    held.expected = segment.last + 1;
  }
  for (const lane of LANES) {
    const { messages, bytes, next } = state.lanes[lane];
    const held = found[lane];
    if (held.messages !== messages || held.bytes !== bytes || (messages > 0 && held.expected !== next)) {
      damage ??= `lane ${lane} holds ${held.messages} messages instead of ${messages}`;
    }
  }
  return damage === undefined ? undefined : { verdict: 'damaged', detail: damage };
}

function inspectJournal(env: Environment, { journal }: StoreState): string | undefined {
  let open = 0;
  let bytes = 0;
  const orders = count(env, 'order', (key, record) => {
    const order = jsonOf<OrderRecord>(key, record);
    open += Number(order !== undefined && !hasEnded(order.entry));
    bytes += record.length;
    return order !== undefined;
  });
  const recent = count(env, 'recent', (key, record) => jsonOf<RecentRecord>(key, record) !== undefined);
  const unfinished = count(env, 'unfinished', (key, record) => jsonOf<string>(key, record) !== undefined);
  const sound =
    orders === journal.entries &&
    recent === journal.entries &&
    unfinished === journal.unfinished &&
    open === journal.unfinished &&
    bytes === journal.bytes;
  return sound ? undefined : 'the journal is damaged';
}

function inspectDead(env: Environment, { dead }: StoreState): string | undefined {
  const letters = count(env, 'dead', (key, record) => unseal(key, record) !== undefined);
  return letters === dead.entries ? undefined : 'dead letters are damaged';
}

function inspectMeta(env: Environment): string | undefined {
  for (const prefix of ['meta', 'config'] as const) {
    if (count(env, prefix, (key, record) => unseal(key, record) !== undefined) === undefined)
      return 'a value of the gateway is damaged';
  }
  return undefined;
}

/** How many records there are, or undefined if one of them is damaged. */
function count(
  env: Environment,
  prefix: Prefix,
  isWhole: (key: Buffer, record: Buffer) => boolean,
): number | undefined {
  const { from, to } = keysOf(prefix);
  let records = 0;
  for (const { key, record } of env.views(from, to)) {
    if (!isWhole(key, record)) return undefined;
    records += 1;
  }
  return records;
}
