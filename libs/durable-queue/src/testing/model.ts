import type { Gap, Lane } from '@bowline/messages';
import { forEachLane, LANES } from '../lanes.ts';
import type { DurableQueue, LaneLimits, NewMessage, WriteBatch, WrittenMessage } from '../queue.ts';
import { NO_LIMIT } from './test-queue.ts';

interface ModelMessage {
  seq: number;
  id: string;
  bytes: number;
}

interface ModelLane {
  next: number;
  messages: ModelMessage[];
  accepted: number;
  receipted: number;
  dropped: number;
  rejected: number;
}

/**
 * What the store promises, as simply as it can be said: arrays. Gap reports are not in it, since how many seqs one of them
 * covers is up to the store; that together they name exactly what was dropped is checked.
 */
export class QueueModel {
  readonly #limits: Record<Lane, LaneLimits>;
  readonly lanes = forEachLane((): ModelLane => ({
    next: 1,
    messages: [],
    accepted: 0,
    receipted: 0,
    dropped: 0,
    rejected: 0,
  }));
  /** Seqs of this epoch that went without the server's doing, as "lane seq". */
  readonly droppedSeqs = new Set<string>();
  readonly producers = new Map<string, number>();
  readonly dead: { lane: Lane; id: string }[] = [];
  /** Gap reports are in `events` too; the store is believed how many seqs and bytes they take there. */
  #gapsInEvents = 0;

  constructor(limits: Record<Lane, LaneLimits>) {
    this.#limits = limits;
  }

  /** Batches that are committed in one go: one transaction, one after the other. @returns what each must answer. */
  commit(batches: readonly WriteBatch[]): ('stored' | 'duplicate' | 'lane-full')[] {
    const before = forEachLane((lane) => this.lanes[lane].next);
    const answers = batches.map((batch) => this.#apply(batch, before));
    for (const lane of ['telemetry', 'history'] as const) this.#dropOverflow(lane);
    return answers;
  }

  #apply(batch: WriteBatch, before: Record<Lane, number>): 'stored' | 'duplicate' | 'lane-full' {
    const { producer, enqueue = [], receipts = {}, setAside = [] } = batch;
    if (producer !== undefined && (this.producers.get(producer.id) ?? 0) >= producer.batch)
      return 'duplicate';
    for (const lane of ['results', 'events'] as const) {
      const added = enqueue
        .filter((list) => list.lane === lane)
        .reduce((sum, { messages }) => sum + messages.length, 0);
      const held = this.lanes[lane].messages.length + (lane === 'events' ? this.#gapsInEvents : 0);
      if (added > 0 && held + added > this.#limits[lane].messages) return 'lane-full';
    }
    for (const lane of LANES) {
      const upTo = Math.min(receipts[lane] ?? 0, before[lane] - 1);
      const { messages } = this.lanes[lane];
      const kept = messages.filter(({ seq }) => seq > upTo);
      this.lanes[lane].receipted += messages.length - kept.length;
      this.lanes[lane].messages = kept;
    }
    for (const { lane, seq } of setAside) {
      const gone = this.#takeOut(lane, seq);
      if (gone === undefined) continue;
      this.lanes[lane].rejected += 1;
      this.dead.push({ lane, id: gone.id });
      this.droppedSeqs.add(`${lane} ${seq}`);
    }
    for (const { lane, messages } of enqueue) for (const message of messages) this.#append(lane, message);
    if (producer !== undefined) this.producers.set(producer.id, producer.batch);
    return 'stored';
  }

  #append(lane: Lane, { id, type, sentAt, ...message }: NewMessage | WrittenMessage): void {
    const held = this.lanes[lane];
    const written = `{"id":"${id}","type":"${type}","sentAt":${sentAt},"payload":`;
    const payload = 'text' in message ? message.text.slice(written.length, -1) : message.payloadJson;
    const json = `{"id":"${id}","type":"${type}","seq":${held.next},"sentAt":${sentAt},"payload":${payload}}`;
    held.messages.push({ seq: held.next, id, bytes: Buffer.byteLength(json) });
    held.next += 1;
    held.accepted += 1;
  }

  #takeOut(lane: Lane, seq: number): ModelMessage | undefined {
    const { messages } = this.lanes[lane];
    const index = messages.findIndex((message) => message.seq === seq);
    return index < 0 ? undefined : messages.splice(index, 1)[0];
  }

  #dropOverflow(lane: 'telemetry' | 'history'): void {
    const held = this.lanes[lane];
    const bytes = () => held.messages.reduce((sum, message) => sum + message.bytes, 0);
    const { messages, bytes: most } = this.#limits[lane];
    const [tooMany, tooLong] = [held.messages.length > messages, bytes() > most];
    const keptMessages = tooMany ? messages - Math.floor(messages / 64) : messages;
    const keptBytes = tooLong ? most - Math.floor(most / 64) : most;
    while (held.messages.length > keptMessages || bytes() > keptBytes) {
      const oldest = held.messages.shift();
      this.droppedSeqs.add(`${lane} ${oldest?.seq}`);
      held.dropped += 1;
    }
  }

  /** After the store took a new epoch. */
  renumber(): void {
    for (const lane of LANES) {
      const held = this.lanes[lane];
      held.messages.forEach((message, index) => {
        message.bytes += String(index + 1).length - String(message.seq).length;
        message.seq = index + 1;
      });
      held.next = held.messages.length + 1;
    }
    this.droppedSeqs.clear();
  }

  /** Takes note of the gap reports that the store has put into `events`, between the others: they take seqs and room. */
  follow(queue: DurableQueue): void {
    const { events } = this.lanes;
    const stored = queue.read('events', 0, NO_LIMIT);
    const gaps = stored.filter(({ json }) => JSON.parse(json).type === 'gap');
    this.#gapsInEvents = gaps.length;
    events.next = queue.lanes().events.next;
    const seqs = new Map(stored.map(({ id, seq }) => [id, seq]));
    for (const message of events.messages) message.seq = seqs.get(message.id) ?? message.seq;
  }
}

/** The differences between a store and its model. */
export function differences(queue: DurableQueue, model: QueueModel): string[] {
  const found: string[] = [];
  const gaps: Gap[] = [];
  for (const lane of LANES) {
    const expected = model.lanes[lane];
    const stored = queue.read(lane, 0, NO_LIMIT);
    const messages = stored.filter(({ json }) => JSON.parse(json).type !== 'gap');
    for (const { json } of stored) {
      const { type, payload } = JSON.parse(json);
      if (type === 'gap') gaps.push(payload);
    }
    const place = ({ seq, id }: { seq: number; id: string }) => (lane === 'events' ? id : `${seq} ${id}`);
    if (messages.map(place).join() !== expected.messages.map(place).join())
      found.push(`${lane}: other messages`);
    if (stored.some(({ seq }, index) => seq <= (stored[index - 1]?.seq ?? 0))) found.push(`${lane}: order`);

    const state = queue.lanes()[lane];
    const bytes = stored.reduce((sum, message) => sum + message.bytes, 0);
    if (state.messages !== stored.length || state.bytes !== bytes) found.push(`${lane}: counts are not true`);
    const first = stored[0]?.seq ?? state.next;
    if (state.first !== first) found.push(`${lane}: first is ${state.first}, not ${first}`);

    const { accepted, receipted, expired, dropped, rejected, waiting } = queue.ledger()[lane];
    if (accepted !== receipted + expired + dropped + rejected + waiting) found.push(`${lane}: ledger`);
    if (lane === 'events') continue;
    const ledger = { accepted, receipted, dropped, rejected, next: state.next };
    for (const name of ['accepted', 'receipted', 'dropped', 'rejected', 'next'] as const) {
      if (ledger[name] !== expected[name])
        found.push(`${lane}: ${name} is ${ledger[name]}, not ${expected[name]}`);
    }
  }
  return [...found, ...gapLies(gaps, model)];
}

/** Gap reports that are still there must name what was dropped, each seq once. */
function gapLies(gaps: readonly Gap[], model: QueueModel): string[] {
  const found: string[] = [];
  const named = new Set<string>();
  for (const { lane, from, to, count } of gaps) {
    if (from === undefined || to === undefined) continue;
    if (count !== to - from + 1) found.push(`gap of ${lane} counts ${count}`);
    for (let seq = from; seq <= to; seq += 1) {
      const name = `${lane} ${seq}`;
      if (named.has(name)) found.push(`${name} is in two gaps`);
      if (!model.droppedSeqs.has(name)) found.push(`${name} is in a gap and was not dropped`);
      named.add(name);
    }
  }
  return found;
}
