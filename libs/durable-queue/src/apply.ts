import type { Lane } from '@bowline/messages';
import { RejectedError } from '@bowline/runtime/errors';
import { bury, findById, removeDeadLetter } from './dead-letters.ts';
import type { DiskRoom } from './disk-room.ts';
import type { Draft } from './draft.ts';
import { reportRuns, type GapContext } from './gap-report.ts';
import { evictOrders, hasEnded, putOrder, type OrderRecord } from './journal.ts';
import { configKey, metaKey, orderKey } from './keys.ts';
import { takeUpTo } from './lane-head.ts';
import { LANES } from './lanes.ts';
import {
  ACK_BYTES_PER_ORDER,
  ACKS_PER_ORDER,
  diskFull,
  GAP_BYTES,
  GAP_MESSAGES,
  laneFull,
  type Limits,
  STARTS_PER_ORDER,
} from './limits.ts';
import { placeOf, seqOf } from './numbering.ts';
import { DROPPING_LANES } from './overflow.ts';
import type { CommitResult, JournalEntry, WriteBatch } from './queue.ts';
import { prepare, unrender, type PreparedMessage } from './wire-message.ts';

/** A batch whose messages are rendered but for their seqs. */
export interface PreparedBatch extends Omit<WriteBatch, 'enqueue'> {
  enqueue: { lane: Lane; messages: PreparedMessage[] }[];
  /** What the messages take of each lane together. */
  wanted: Record<Lane, { messages: number; bytes: number }>;
  bytes: number;
  /** In which it was handed in: its seqs mean nothing in another. */
  epoch: string;
}

export interface ApplyContext extends GapContext {
  limits: Limits;
  room: Pick<DiskRoom, 'admits'>;
}

/** Lives of an app whose batches are told apart; the oldest is forgotten. */
const PRODUCERS_PER_APP = 4;

/**
 * Puts one batch into the transaction, whole or not at all. Room that its own receipts make counts only for the next one.
 *
 * @throws RejectedError `out-of-order`, `lane-full`, `journal-full`, `disk-full`; the draft is as it was, but for evicted journal entries.
 */
export function apply(draft: Draft, batch: PreparedBatch, context: ApplyContext): CommitResult {
  if (isDuplicate(draft, batch)) return { duplicate: true, seqs: [] };
  checkRow(draft, batch);
  checkDisk(draft, batch, context.room);
  checkOrders(draft, batch, context.limits);
  checkRoom(draft, batch, context.limits);

  if (batch.epoch === draft.state.epoch) {
    for (const lane of LANES) receipt(draft, lane, batch.receipts?.[lane] ?? 0);
    for (const message of batch.setAside ?? []) applySetAside(draft, message, context);
  }
  for (const reject of batch.rejects ?? []) applyReject(draft, reject, context);
  for (const number of batch.deadLetters?.purge ?? []) removeDeadLetter(draft, number);
  for (const number of batch.deadLetters?.resend ?? []) resend(draft, number);

  const places = batch.enqueue.map(({ lane, messages }) => {
    const from = draft.state.lanes[lane].next;
    for (const message of messages) draft.append(lane, message);
    return { lane, from, to: from + messages.length - 1 };
  });
  const ackSeq = places.findLast(({ lane, from, to }) => lane === 'results' && to >= from)?.to;
  for (const entry of batch.journal ?? []) putOrder(draft, entry, ackSeq);

  for (const [name, value] of Object.entries(batch.meta ?? {})) draft.putJson(metaKey(name), value);
  for (const [name, value] of Object.entries(batch.config ?? {})) {
    if (value === null) draft.remove(configKey(name));
    else draft.putJson(configKey(name), value);
  }
  if (batch.downlink !== undefined) {
    draft.state.downlink = { ...batch.downlink };
    draft.changed = true;
  }
  rememberProducer(draft, batch);
  const seqs = places.map(({ lane, from: place, to }) => {
    const from = seqOf(draft.state.numbering[lane], place);
    return { lane, from, to: from + to - place };
  });
  return { duplicate: false, seqs };
}

type Producer = NonNullable<WriteBatch['producer']>;

/** The highest batch stored of a producer. */
const highestOf = (draft: Draft, { app, id }: Producer): number | undefined =>
  draft.state.producers[app]?.find((mark) => mark.id === id)?.batch;

function isDuplicate(draft: Draft, { producer }: PreparedBatch): boolean {
  return producer !== undefined && producer.batch <= (highestOf(draft, producer) ?? 0);
}

/** A batch that was sent behind another, which was refused: to store it now would bring the producer's calls out of order. */
function checkRow(draft: Draft, { producer }: PreparedBatch): void {
  if (producer?.after === undefined || producer.after === highestOf(draft, producer)) return;
  const { batch, after } = producer;
  throw new RejectedError('out-of-order', `batch ${batch} comes after ${after}, which is not stored`);
}

function rememberProducer(draft: Draft, { producer }: PreparedBatch): void {
  if (producer === undefined) return;
  const { app, id, batch } = producer;
  const others = (draft.state.producers[app] ?? []).filter((mark) => mark.id !== id);
  draft.state.producers[app] = [{ id, batch }, ...others].slice(0, PRODUCERS_PER_APP);
  draft.changed = true;
}

/** Against what the disk has left; what else this transaction adds is part of the reserve's margin. */
function checkDisk(draft: Draft, batch: PreparedBatch, room: ApplyContext['room']): void {
  const kinds: (Lane | 'order')[] = LANES.filter((lane) => batch.wanted[lane].messages > 0);
  if (batch.journal?.some(({ orderId }) => draft.get(orderKey(orderId)) === undefined)) kinds.push('order');
  if (kinds.some((kind) => !room.admits(kind, batch.bytes))) throw diskFull();
}

function checkOrders(draft: Draft, { journal = [], bytes }: PreparedBatch, limits: Limits): void {
  const added = new Set(
    journal.map(({ orderId }) => orderId).filter((id) => draft.get(orderKey(id)) === undefined),
  );
  if (added.size === 0) return;
  const isFull = () =>
    draft.state.journal.entries + added.size > limits.journalEntries ||
    draft.state.journal.bytes + bytes > limits.journalBytes;
  while (isFull()) {
    if (evictOrders(draft) === 0) {
      throw new RejectedError('journal-full', 'the journal is full of orders that must be kept');
    }
  }
}

/** `results` keeps room for the acks of every order that has not ended; gap reports have room of their own in `events`. */
function checkRoom(draft: Draft, batch: PreparedBatch, { lanes: limits }: Limits): void {
  const { state } = draft;
  const { results, events } = batch.wanted;
  const orders = changeOfOrders(draft, batch);
  if (results.messages > 0 || orders.opened > 0) {
    const { messages, bytes } = state.lanes.results;
    const open = state.journal.unfinished + orders.opened - orders.ended;
    // An ack that an accepted order is bound to send uses the room that was kept for it.
    const kept = orders.ownRoom
      ? { messages: 0, bytes: -Infinity }
      : {
          messages: open * ACKS_PER_ORDER,
          bytes: open * ACK_BYTES_PER_ORDER,
        };
    if (
      messages + results.messages + kept.messages > limits.results.messages ||
      bytes + results.bytes + kept.bytes > limits.results.bytes
    ) {
      throw laneFull('results');
    }
  }

  const { messages, bytes } = state.lanes.events;
  if (
    events.messages > 0 &&
    (messages + events.messages > limits.events.messages || bytes + events.bytes > limits.events.bytes)
  ) {
    throw laneFull('events');
  }
  // What drops messages must be able to say so.
  if (
    DROPPING_LANES.some((lane) => batch.wanted[lane].messages > 0) &&
    (messages >= limits.events.messages + GAP_MESSAGES || bytes >= limits.events.bytes + GAP_BYTES)
  ) {
    throw laneFull('events');
  }
}

function changeOfOrders(draft: Draft, { journal = [] }: PreparedBatch) {
  const change = { opened: 0, ended: 0, ownRoom: false };
  let usesOwnRoom = true;
  for (const entry of journal) {
    const known = draft.getJson<OrderRecord>(orderKey(entry.orderId));
    if (known === undefined) change.opened += Number(!hasEnded(entry));
    else if (!hasEnded(known.entry)) {
      usesOwnRoom &&= isOwnAck(known.entry, entry);
      change.ownRoom = true;
      change.ended += Number(hasEnded(entry));
    }
  }
  change.ownRoom &&= usesOwnRoom && change.opened === 0;
  return change;
}

/** Its end, and the first starts; a state that is told once more is not what room was kept for. */
const isOwnAck = (known: JournalEntry, entry: JournalEntry): boolean =>
  hasEnded(entry) || (entry.attempt > known.attempt && entry.attempt <= STARTS_PER_ORDER);

/** Never beyond what could have been sent: what this transaction itself adds was not. */
function receipt(draft: Draft, lane: Lane, upTo: number): void {
  const counters = draft.state.lanes[lane];
  const last = Math.min(placeOf(draft.state.numbering[lane], upTo), draft.before.lanes[lane].next - 1);
  if (last < counters.first) return;
  counters.receipted += takeUpTo(draft, lane, last);
}

function applyReject(
  draft: Draft,
  { id, lane, code, detail }: NonNullable<WriteBatch['rejects']>[number],
  { marks, limits, wallMs }: ApplyContext,
): void {
  for (const candidate of lane === undefined ? LANES : [lane]) {
    const place = findById(draft, candidate, id, marks.answerableUpTo(candidate));
    if (place === undefined) continue;
    bury(draft, place, { id, code, detail, at: wallMs() }, limits);
    return;
  }
}

function applySetAside(
  draft: Draft,
  { lane, seq: number, reason, detail }: NonNullable<WriteBatch['setAside']>[number],
  context: ApplyContext,
): void {
  const seq = placeOf(draft.state.numbering[lane], number);
  if (!bury(draft, { lane, seq }, { code: reason, detail, at: context.wallMs() }, context.limits)) return;
  reportRuns(draft, lane, [{ from: seq, to: seq }], reason, context);
}

function resend(draft: Draft, number: number): void {
  const letter = removeDeadLetter(draft, number);
  const message = letter === undefined ? undefined : unrender(letter.json);
  if (letter !== undefined && message !== undefined) draft.append(letter.lane, prepare(message));
}
