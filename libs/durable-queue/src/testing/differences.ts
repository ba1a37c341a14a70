import type { Gap, Lane } from '@bowline/messages';
import { hasEnded } from '../journal.ts';
import { LANES } from '../lanes.ts';
import type { JournalEntry } from '../queue.ts';
import type { QueueModel } from './model.ts';
import type { Snapshot } from './snapshot.ts';

/** The differences between a store and its model; the model takes over what only the store can know (see there). */
export function differences(snapshot: Snapshot, model: QueueModel): string[] {
  const found: string[] = [];
  const gaps: Gap[] = [];
  model.follow(snapshot.lanes);
  for (const lane of LANES) {
    const expected = model.lanes[lane];
    const stored = snapshot.stored[lane].map((message) => ({ ...message, ...JSON.parse(message.json) }));
    const messages = stored.filter(({ type }) => type !== 'gap');
    for (const { type, payload } of stored) if (type === 'gap') gaps.push(payload);
    if (lane === 'events') {
      const seqs = new Map(messages.map(({ id, seq }) => [id, seq]));
      for (const message of expected.messages) message.seq = seqs.get(message.id) ?? message.seq;
    }
    const contents = messages.map(({ seq, id, payload }) => `${seq} ${id} ${JSON.stringify(payload)}`);
    const wanted = expected.messages.map(({ seq, id, payloadJson }) => `${seq} ${id} ${payloadJson}`);
    if (contents.join() !== wanted.join())
      found.push(`${lane}: other messages: ${contents.length}, not ${wanted.length}`);
    found.push(...recount(lane, snapshot));

    const { accepted, receipted, expired, dropped, rejected } = snapshot.ledger[lane];
    // In `events` the gap reports count as well.
    const own =
      lane === 'events' ? { expired, rejected } : { accepted, receipted, expired, dropped, rejected };
    for (const [name, value] of Object.entries(own) as [keyof typeof own, number][]) {
      if (value !== expected[name]) found.push(`${lane}: ${name} is ${value}, not ${expected[name]}`);
    }
    const { next } = snapshot.lanes[lane];
    if (next !== expected.next) found.push(`${lane}: next is ${next}, not ${expected.next}`);
  }
  found.push(...gapLies(gaps, model));
  for (const seq of model.gone) if (!model.told.has(seq)) found.push(`${seq} went and no gap says so`);
  return [...found, ...orderDifferences(snapshot, model), ...model.broken];
}

/** What the store counts must be what it holds, and the ledger must add up. */
export function recount(
  lane: Lane,
  { stored, lanes, ledger }: Pick<Snapshot, 'stored' | 'lanes' | 'ledger'>,
) {
  const found: string[] = [];
  const messages = stored[lane];
  const state = lanes[lane];
  const bytes = messages.reduce((sum, message) => sum + message.bytes, 0);
  if (state.messages !== messages.length || state.bytes !== bytes) found.push(`${lane}: counts are not true`);
  if (messages.some(({ seq }, index) => seq <= (messages[index - 1]?.seq ?? 0))) found.push(`${lane}: order`);
  const first = messages[0]?.seq ?? state.next;
  if (state.first !== first) found.push(`${lane}: first is ${state.first}, not ${first}`);
  const { accepted, receipted, expired, dropped, rejected, waiting } = ledger[lane];
  if (accepted !== receipted + expired + dropped + rejected + waiting || waiting !== messages.length)
    found.push(`${lane}: the ledger does not add up`);
  return found;
}

function orderDifferences({ orders, unfinished, downlink, dead }: Snapshot, model: QueueModel): string[] {
  const found: string[] = [];
  const text = (entries: readonly JournalEntry[]) => entries.map((entry) => JSON.stringify(entry)).join();
  const expected = [...model.orders.values()].map(({ entry }) => entry);
  if (text(orders.toReversed()) !== text(expected))
    found.push(`journal: other orders: ${orders.length}, not ${expected.length}`);
  const open = expected.filter((entry) => !hasEnded(entry)).toSorted((a, b) => a.seq - b.seq);
  if (text(unfinished) !== text(open)) found.push('journal: other unfinished orders');
  if (downlink.received !== model.downlink.received) found.push(`downlink is at ${downlink.received}`);
  const letters = dead.map(({ lane, id }) => `${lane} ${id}`).toReversed();
  if (letters.join() !== model.dead.map(({ lane, message }) => `${lane} ${message.id}`).join())
    found.push('other dead letters');
  return found;
}

/** Gap reports that are still there must name what went, each seq once. */
function gapLies(gaps: readonly Gap[], model: QueueModel): string[] {
  const found: string[] = [];
  const named = new Set<string>();
  for (const { lane, from, to, count } of gaps) {
    if (from === undefined || to === undefined) continue;
    if (count !== to - from + 1) found.push(`gap of ${lane} counts ${count}`);
    for (let seq = from; seq <= to; seq += 1) {
      const name = `${lane} ${seq}`;
      if (named.has(name)) found.push(`${name} is in two gaps`);
      if (!model.gone.has(name)) found.push(`${name} is in a gap and did not go`);
      named.add(name);
      model.told.add(name);
    }
  }
  return found;
}
