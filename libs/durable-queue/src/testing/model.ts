import type { Lane, LedgerEntry } from '@bowline/messages';
import { hasEnded } from '../journal.ts';
import { forEachLane, LANES } from '../lanes.ts';
import { ACKS_PER_ORDER, STARTS_PER_ORDER } from '../limits.ts';
import type {
  CommitResult,
  DownlinkState,
  JournalEntry,
  LaneLimits,
  LaneState,
  NewMessage,
  WriteBatch,
  WrittenMessage,
} from '../queue.ts';

/** What a caller of `commit` was told. */
export type Answer = 'stored' | 'duplicate' | 'out-of-order' | 'lane-full' | 'journal-full' | 'disk-full';

/** A moment as the world has it, not as the store's clocks tell it. */
export interface Moment {
  /** That has really passed; all ages are differences of it. */
  trueMs: number;
  /** Counts the boots: within one, an age is exact. */
  boot: number;
  /** If the device knows it. */
  serverMs?: number | undefined;
}

export interface ModelMessage extends NewMessage {
  seq: number;
  bytes: number;
  at: Moment;
}

interface ModelLane {
  next: number;
  messages: ModelMessage[];
  accepted: number;
  receipted: number;
  expired: number;
  dropped: number;
  rejected: number;
}

interface ModelOrder {
  entry: JournalEntry;
  /** Seq of its last ack. */
  ackSeq: number;
}

export interface ModelLimits {
  lanes: Record<Lane, LaneLimits>;
  journalEntries: number;
}

/** What became of batches that were committed in one go. */
export interface Outcome {
  /** Undefined where nobody was told: then what could be stored was stored. */
  answers?: (Answer | undefined)[];
  /** Of those that were stored. */
  results?: (CommitResult | undefined)[];
  /** The ledger afterwards; only what had expired is believed, and judged. */
  ledger: Record<Lane, Pick<LedgerEntry, 'expired'>>;
  now: Moment;
}

/**
 * What the store promises, as simply as it can be said: arrays. Gap reports are not in it, since how many seqs one of them
 * covers is up to the store; that together they name exactly what went is checked. Nor is it said when exactly a message
 * that is too old goes; that none goes early is checked.
 */
export class QueueModel {
  readonly #limits: ModelLimits;
  readonly lanes = forEachLane((): ModelLane => ({
    next: 1,
    messages: [],
    accepted: 0,
    receipted: 0,
    expired: 0,
    dropped: 0,
    rejected: 0,
  }));
  /** Oldest first. */
  readonly orders = new Map<string, ModelOrder>();
  downlink: DownlinkState = { received: 0 };
  /** Seqs of this epoch that went without the server's doing, as "lane seq". */
  readonly gone = new Set<string>();
  /** Those of them that a gap has named. */
  readonly told = new Set<string>();
  readonly producers = new Map<string, number>();
  dead: { lane: Lane; message: NewMessage }[] = [];
  /** What broke a promise while batches were followed. */
  readonly broken: string[] = [];
  /** Gap reports are in `events` too; the store is believed how many seqs and bytes they take there. */
  #gapsInEvents = 0;

  constructor(limits: ModelLimits) {
    this.#limits = limits;
  }

  clone(): QueueModel {
    const copy = new QueueModel(this.#limits);
    const { lanes, orders, downlink, gone, told, producers, dead, broken } = structuredClone({ ...this });
    for (const lane of LANES) copy.lanes[lane] = lanes[lane];
    for (const [id, order] of orders) copy.orders.set(id, order);
    for (const each of gone) copy.gone.add(each);
    for (const each of told) copy.told.add(each);
    for (const [id, batch] of producers) copy.producers.set(id, batch);
    copy.broken.push(...broken);
    copy.#gapsInEvents = this.#gapsInEvents;
    return Object.assign(copy, { downlink, dead });
  }

  /** Batches that are committed in one go: one transaction, one after the other. @returns what each must answer. */
  commit(batches: readonly WriteBatch[], { answers, results, ledger, now }: Outcome): Answer[] {
    const before = forEachLane((lane) => this.lanes[lane].next);
    for (const lane of LANES) this.#expire(lane, ledger[lane].expired, now);
    const expected = batches.map((batch, index) => {
      if (answers?.[index] === 'disk-full') return 'disk-full';
      return this.#apply(batch, before, now, results?.[index]);
    });
    for (const lane of ['telemetry', 'history'] as const) this.#dropOverflow(lane);
    return expected;
  }

  #apply(
    batch: WriteBatch,
    before: Record<Lane, number>,
    now: Moment,
    result: CommitResult | undefined,
  ): Answer {
    const { producer, enqueue = [], receipts = {}, setAside = [], journal = [] } = batch;
    const last = producer === undefined ? 0 : (this.producers.get(producer.id) ?? 0);
    if (producer !== undefined && last >= producer.batch) return 'duplicate';
    if (producer?.after !== undefined && producer.after !== last) return 'out-of-order';
    if (journal.some(({ orderId }) => !this.orders.has(orderId)) && !this.#makeRoomForOrder(now))
      return 'journal-full';
    if (!this.#hasRoom(batch)) return 'lane-full';

    for (const lane of LANES) {
      const upTo = Math.min(receipts[lane] ?? 0, before[lane] - 1);
      const { messages } = this.lanes[lane];
      const kept = messages.filter(({ seq }) => seq > upTo);
      this.lanes[lane].receipted += messages.length - kept.length;
      this.lanes[lane].messages = kept;
    }
    for (const { lane, seq } of setAside) {
      const gone = this.#takeOut(lane, (message) => message.seq === seq);
      if (gone !== undefined) this.gone.add(`${lane} ${seq}`);
    }
    for (const { id, lane } of batch.rejects ?? [])
      if (lane !== undefined) this.#takeOut(lane, (message) => message.id === id);
    this.#deadLetters(batch.deadLetters, now);
    enqueue.forEach(({ lane, messages }, index) => {
      const from = result?.seqs[index]?.from;
      // Where gap reports came between, the store knows how many.
      if (lane === 'events' && from !== undefined && messages.length > 0) this.lanes.events.next = from;
      if (from !== undefined && messages.length > 0 && from !== this.lanes[lane].next)
        this.broken.push(`${lane}: seq ${from} was given, not ${this.lanes[lane].next}`);
      for (const message of messages) this.#append(lane, unwritten(message), now);
    });
    for (const entry of journal) this.#putOrder(entry, enqueue);
    if (batch.downlink !== undefined) this.downlink = batch.downlink;
    if (producer !== undefined) this.producers.set(producer.id, producer.batch);
    return 'stored';
  }

  /** A full journal forgets what has ended, is receipted and can never be sent again (protocol, section 4). */
  #makeRoomForOrder({ serverMs }: Moment): boolean {
    if (this.orders.size < this.#limits.journalEntries) return true;
    const { messages, next } = this.lanes.results;
    const firstWaiting = messages[0]?.seq ?? next;
    for (const [orderId, { entry, ackSeq }] of this.orders) {
      const past = serverMs !== undefined && entry.expiresAt !== undefined && serverMs > entry.expiresAt;
      if (hasEnded(entry) && ackSeq < firstWaiting && past) this.orders.delete(orderId);
    }
    return this.orders.size < this.#limits.journalEntries;
  }

  #hasRoom({ enqueue = [], journal = [] }: WriteBatch): boolean {
    const wanted = (lane: Lane) =>
      enqueue.filter((list) => list.lane === lane).reduce((sum, { messages }) => sum + messages.length, 0);
    const [entry] = journal;
    const known = entry && this.orders.get(entry.orderId)?.entry;
    const opens = entry !== undefined && known === undefined && !hasEnded(entry);
    const isOwn =
      entry !== undefined &&
      known !== undefined &&
      !hasEnded(known) &&
      (hasEnded(entry) || (entry.attempt > known.attempt && entry.attempt <= STARTS_PER_ORDER));
    const open = [...this.orders.values()].filter((order) => !hasEnded(order.entry)).length;
    const kept = isOwn ? 0 : (open + Number(opens)) * ACKS_PER_ORDER;
    if (wanted('results') > 0 || opens) {
      const held = this.lanes.results.messages.length + wanted('results');
      if (held + kept > this.#limits.lanes.results.messages) return false;
    }
    const held = this.lanes.events.messages.length + this.#gapsInEvents;
    return wanted('events') === 0 || held + wanted('events') <= this.#limits.lanes.events.messages;
  }

  #append(lane: Lane, message: NewMessage, at: Moment): void {
    const { id, type, sentAt, payloadJson } = message;
    const held = this.lanes[lane];
    const json = `{"id":"${id}","type":"${type}","seq":${held.next},"sentAt":${sentAt},"payload":${payloadJson}}`;
    held.messages.push({ ...message, seq: held.next, bytes: Buffer.byteLength(json), at });
    held.next += 1;
    held.accepted += 1;
  }

  #putOrder(entry: JournalEntry, enqueue: NonNullable<WriteBatch['enqueue']>): void {
    const acked = enqueue.some(({ lane, messages }) => lane === 'results' && messages.length > 0);
    const before = this.orders.get(entry.orderId)?.ackSeq ?? 0;
    const ackSeq = acked ? this.lanes.results.next - 1 : before;
    this.orders.set(entry.orderId, { entry, ackSeq });
  }

  /** A final reject: to the dead letters. */
  #takeOut(lane: Lane, which: (message: ModelMessage) => boolean): ModelMessage | undefined {
    const { messages } = this.lanes[lane];
    const index = messages.findIndex(which);
    const [gone] = index < 0 ? [] : messages.splice(index, 1);
    if (gone === undefined) return undefined;
    const { id, type, sentAt, payloadJson } = gone;
    this.lanes[lane].rejected += 1;
    this.dead.push({ lane, message: { id, type, sentAt, payloadJson } });
    return gone;
  }

  /** The numbers of dead letters are the store's; here they are places in the list, which Life translates. */
  #deadLetters({ resend = [], purge = [] }: NonNullable<WriteBatch['deadLetters']> = {}, now: Moment): void {
    const letters = [...this.dead];
    const left = letters.filter((_, place) => !resend.includes(place) && !purge.includes(place));
    for (const place of resend) {
      const letter = letters[place];
      if (letter !== undefined && !purge.includes(place)) this.#append(letter.lane, letter.message, now);
    }
    this.dead = left;
  }

  /** The store says how many were too old; each of them must have been. */
  #expire(lane: Lane, expired: number, now: Moment): void {
    const held = this.lanes[lane];
    const { ageMs = Infinity } = this.#limits.lanes[lane];
    while (held.expired < expired) {
      const oldest = held.messages.shift();
      if (oldest === undefined || now.trueMs - oldest.at.trueMs < ageMs)
        this.broken.push(`${lane}: ${oldest?.seq ?? 'nothing'} expired too early`);
      this.gone.add(`${lane} ${oldest?.seq}`);
      held.expired += 1;
    }
  }

  #dropOverflow(lane: 'telemetry' | 'history'): void {
    const held = this.lanes[lane];
    const bytes = () => held.messages.reduce((sum, message) => sum + message.bytes, 0);
    const { messages, bytes: most } = this.#limits.lanes[lane];
    const [tooMany, tooLong] = [held.messages.length > messages, bytes() > most];
    const keptMessages = tooMany ? messages - Math.floor(messages / 64) : messages;
    const keptBytes = tooLong ? most - Math.floor(most / 64) : most;
    while (held.messages.length > keptMessages || bytes() > keptBytes) {
      const oldest = held.messages.shift();
      this.gone.add(`${lane} ${oldest?.seq}`);
      held.dropped += 1;
    }
  }

  /** After the store took a new epoch. */
  renumber(): void {
    const { messages } = this.lanes.results;
    for (const order of this.orders.values())
      order.ackSeq = messages.filter(({ seq }) => seq <= order.ackSeq).length;
    for (const lane of LANES) {
      const held = this.lanes[lane];
      held.messages.forEach((message, index) => {
        message.seq = index + 1;
      });
      held.next = held.messages.length + 1;
    }
    this.downlink = { ...this.downlink, received: 0 };
    this.gone.clear();
    this.told.clear();
  }

  /** Takes note of how many gap reports the store has put into `events`, between the others: they take seqs and room. */
  follow({ events }: Record<Lane, LaneState>): void {
    this.#gapsInEvents = events.messages - this.lanes.events.messages.length;
    this.lanes.events.next = events.next;
  }

  /** Messages that must have expired by now, however the store looks for them. */
  overdue(now: Moment): string[] {
    return LANES.flatMap((lane) => {
      const { ageMs } = this.#limits.lanes[lane];
      if (ageMs === undefined) return [];
      const latest = ageMs + Math.max(1000, ageMs / 64);
      return this.lanes[lane].messages
        .filter(({ at }) => at.boot === now.boot && now.trueMs - at.trueMs >= latest)
        .map(({ seq }) => `${lane} ${seq} is too old and still there`);
    });
  }
}

/** The same with its payload alone. */
function unwritten(message: NewMessage | WrittenMessage): NewMessage {
  if (!('text' in message)) return message;
  const { id, type, sentAt, text } = message;
  return { id, type, sentAt, payloadJson: text.slice(text.indexOf('"payload":') + 10, -1) };
}
