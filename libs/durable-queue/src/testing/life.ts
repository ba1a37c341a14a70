import assert from 'node:assert/strict';
import { randomUUID, randomUUIDv7 } from 'node:crypto';
import type { Lane } from '@bowline/messages';
import { hasEnded } from '../journal.ts';
import { LANES } from '../lanes.ts';
import type { JournalEntry, NewMessage, WriteBatch, WrittenMessage } from '../queue.ts';
import { HOUR_MS, type Action, type BatchPlan, type OrderPlan } from './action.ts';
import { Failed, type Burst, type Clocks, type Host } from './host.ts';
import { differences } from './differences.ts';
import { type Answer, type ModelLimits, type Moment, QueueModel } from './model.ts';
import type { Snapshot } from './snapshot.ts';
import { message } from './test-queue.ts';

/** No clock of the store may say this. */
const SERVER_EPOCH_MS = 1_800_000_000_000;
/** Longer than the store believes what the file system said. */
const BETWEEN_ACTIONS_MS = 150;

export const LIMITS: ModelLimits = {
  lanes: {
    results: { messages: 45, bytes: 1e9 },
    events: { messages: 60, bytes: 1e9 },
    telemetry: { messages: 20, bytes: 1e9, ageMs: HOUR_MS / 2 },
    history: { messages: 200, bytes: 8_000, ageMs: HOUR_MS },
  },
  journalEntries: 6,
};

/** A store and its model, living through the same. */
export class Life {
  readonly host: Host;
  #model = new QueueModel(LIMITS);
  #epoch = '';
  readonly #producers = [randomUUID(), randomUUID(), randomUUID()];
  /** epoch, lane, seq → id: a seq means one message for ever. */
  readonly #owners = new Map<string, string>();
  /** Of every message that was ever handed in. */
  readonly payloads = new Map<string, string>();
  /** Highest seq of `events` that was read in this epoch. */
  #eventsRead = 0;
  /** Every order's seq of the server. */
  #ordersReceived = 0;
  #trueMs = 0;
  #boot = 1;
  #bootedAtMs = 0;
  #serverKnown = false;
  #wallOffsetMs = SERVER_EPOCH_MS;
  /** Whether `disk-full` is an answer at this moment. */
  mayBeFull = false;
  /** What was asked for and not yet answered: after a crash it may have happened or not. */
  #inFlight: readonly WriteBatch[] | 'renew' | undefined;

  constructor(host: Host) {
    this.host = host;
  }

  get model(): QueueModel {
    return this.#model;
  }

  get epoch(): string {
    return this.#epoch;
  }

  clocks(): Clocks {
    return {
      wallMs: this.#wallOffsetMs + this.#trueMs,
      monotonicMs: this.#trueMs - this.#bootedAtMs,
      bootId: `boot-${this.#boot}`,
      ...(this.#serverKnown ? { serverMs: SERVER_EPOCH_MS + this.#trueMs } : {}),
    };
  }

  async begin(): Promise<void> {
    await this.host.open(this.clocks());
    const snapshot = await this.host.snapshot();
    this.#epoch = snapshot.epoch;
  }

  async perform(action: Action): Promise<void> {
    this.#trueMs += BETWEEN_ACTIONS_MS;
    if (action.kind === 'burst') {
      await this.commit(this.plan(action.batches));
      if (action.look) await this.look();
    } else if (action.kind === 'reject') await this.#reject(action.lane, action.at);
    else if (action.kind === 'letters') await this.#letters(action.resend);
    else if (action.kind === 'renew') await this.#renew();
    else if (action.kind === 'compact') await this.#compact();
    else if (action.kind === 'clock') await this.#step(action);
    else {
      await this.host.close();
      await this.reopen(action.reboot);
    }
  }

  /** Makes batches of plans, by what the store holds now. */
  plan(plans: readonly BatchPlan[]): WriteBatch[] {
    const entries = new Map([...this.#model.orders].map(([id, { entry }]) => [id, entry]));
    return plans.map((each) => this.#batch(each, entries));
  }

  /** Commits in one go, and follows in the model. @throws Failed */
  async commit(written: readonly WriteBatch[], modelled = written): Promise<Burst> {
    this.#inFlight = modelled;
    const burst = await this.host.burst(written, this.clocks());
    if (burst.answers.includes('commit-failed')) throw new Failed('commit-failed');
    this.#inFlight = undefined;
    this.#follow(modelled, burst);
    return burst;
  }

  #follow(batches: readonly WriteBatch[], { answers, results, lanes, ledger }: Burst): void {
    if (answers.includes('disk-full')) assert.ok(this.mayBeFull, 'the disk is not full');
    const told = answers as Answer[];
    const expected = this.#model.commit(batches, { answers: told, results, ledger, now: this.now() });
    assert.deepEqual(answers, expected);
    this.#model.follow(lanes);
    batches.forEach(({ enqueue = [] }, index) =>
      enqueue.forEach(({ lane, messages }, list) => {
        const { from = 0 } = results[index]?.seqs[list] ?? {};
        if (answers[index] === 'stored') messages.forEach(({ id }, n) => this.#own(lane, from + n, id));
      }),
    );
  }

  now(): Moment {
    return { trueMs: this.#trueMs, boot: this.#boot, serverMs: this.clocks().serverMs };
  }

  /** Compares all of it. */
  async look(): Promise<Snapshot> {
    const snapshot = await this.host.snapshot();
    this.#compare(snapshot);
    return snapshot;
  }

  #compare(snapshot: Snapshot): void {
    assert.equal(snapshot.epoch, this.#epoch);
    for (const lane of LANES) for (const { seq, id } of snapshot.stored[lane]) this.#own(lane, seq, id);
    assert.deepEqual(differences(snapshot, this.#model), []);
    this.#eventsRead = snapshot.lanes.events.next - 1;
  }

  /** Opens the store again after its process ended, however it ended. */
  async reopen(reboot: boolean): Promise<void> {
    this.restarted(reboot);
    await this.host.open(this.clocks());
    await this.settle();
  }

  /** Time passes while nothing runs, and the server's time is forgotten. */
  restarted(reboot: boolean): void {
    this.#trueMs += 10_000;
    this.#serverKnown = false;
    if (!reboot) return;
    this.#boot += 1;
    this.#bootedAtMs = this.#trueMs - 3_000;
  }

  /** Finds out what a store holds that was just opened: all that was answered and, whole or not at all, what was not. */
  async settle(): Promise<void> {
    const snapshot = await this.host.snapshot();
    assert.equal(snapshot.recovery, undefined);
    const isRenewed = snapshot.epoch !== this.#epoch;
    if (isRenewed) assert.equal(this.#inFlight, 'renew', 'another epoch');
    const possible = isRenewed ? [this.#renewed()] : [this.#model, ...this.#stored(snapshot)];
    const found = possible.map((model) => ({ model, wrong: differences(snapshot, model) }));
    const right = found.find(({ wrong }) => wrong.length === 0);
    assert.ok(right, `after the restart: ${found.map(({ wrong }) => wrong.join('; ')).join(' | or: ')}`);
    this.#epoch = snapshot.epoch;
    this.#model = right.model;
    this.#inFlight = undefined;
    this.#compare(snapshot);
    // The first transaction of a process looks for what is too old.
    await this.commit([{}]);
  }

  #renewed(): QueueModel {
    const model = this.#model.clone();
    model.renumber();
    return model;
  }

  /** What was in flight is one transaction; on a full disk each of its batches may have been refused. */
  #stored({ ledger }: Snapshot): QueueModel[] {
    const batches = this.#inFlight;
    if (batches === undefined || batches === 'renew') return [];
    const choices = this.mayBeFull ? 2 ** batches.length - 1 : 1;
    return Array.from({ length: choices }, (_, refused) => {
      const answers = batches.map((_, index) => ((refused >> index) & 1 ? 'disk-full' : undefined));
      const model = this.#model.clone();
      model.commit(batches, { answers, ledger, now: this.now() });
      return model;
    });
  }

  async #step({ forwardMs, wallJumpMs, serverKnown }: Action & { kind: 'clock' }): Promise<void> {
    this.#trueMs += forwardMs;
    this.#wallOffsetMs += wallJumpMs;
    this.#serverKnown ||= serverKnown;
    const { answers } = await this.commit([{}]);
    if (answers[0] === 'stored') assert.deepEqual(this.#model.overdue(this.now()), []);
    await this.look();
  }

  async #renew(): Promise<void> {
    this.#inFlight = 'renew';
    try {
      await this.host.renew();
    } catch (error) {
      if (!(error instanceof Failed) || error.code !== 'disk-full') throw error;
      assert.ok(this.mayBeFull, 'the disk is not full');
      this.#inFlight = undefined;
      return;
    }
    const { epoch } = await this.host.snapshot();
    assert.notEqual(epoch, this.#epoch);
    this.#inFlight = undefined;
    this.#epoch = epoch;
    this.#model.renumber();
    await this.look();
  }

  /** Changes nothing that can be seen. */
  async #compact(): Promise<void> {
    await this.host.compact();
    await this.look();
  }

  async #reject(lane: Lane, at: number): Promise<void> {
    await this.look(); // a reject names what was sent
    const message = this.#model.lanes[lane].messages[at];
    if (message === undefined) return;
    await this.commit([{ rejects: [{ id: message.id, lane, code: 'invalid', detail: '' }] }]);
  }

  async #letters(resend: readonly number[]): Promise<void> {
    const { dead } = await this.look();
    const numbers = dead.map(({ number }) => number).toReversed();
    const resent = [...new Set(resend)].filter((place) => place < numbers.length);
    const purged = numbers.map((_, place) => place).filter((place) => !resent.includes(place));
    const named = (places: readonly number[]) => places.map((place) => numbers[place] ?? -1);
    await this.commit(
      [{ deadLetters: { resend: named(resent), purge: named(purged) } }],
      [{ deadLetters: { resend: resent, purge: purged } }],
    );
  }

  #batch(
    { enqueue, receipts, setAside, producer, order }: BatchPlan,
    entries: Map<string, JournalEntry>,
  ): WriteBatch {
    const { lanes } = this.#model;
    const batch: WriteBatch = {
      enqueue: enqueue.map(({ lane, sizes }) => ({
        lane,
        messages: sizes.map((size) => {
          const made = this.#message('event', { pad: 'ä'.repeat(size % 7) + 'x'.repeat(size) });
          return size % 2 === 0 ? made : written(made);
        }),
      })),
      receipts: Object.fromEntries(
        receipts.map(({ lane, percent }) => {
          const first = lanes[lane].messages[0]?.seq ?? lanes[lane].next;
          const upTo = first - 1 + Math.floor(((lanes[lane].next - first) * percent) / 100);
          // A gap that was never read was never sent, so nobody receipts it.
          return [lane, lane === 'events' ? Math.min(upTo, this.#eventsRead) : upTo];
        }),
      ),
      // A gap cannot be set aside in the model, which does not know it.
      setAside: setAside.flatMap(({ lane, at }) => {
        const message = lane === 'events' ? undefined : lanes[lane].messages[at];
        return message === undefined ? [] : [{ lane, seq: message.seq, reason: 'corrupt', detail: '' }];
      }),
      ...(producer === undefined
        ? {}
        : {
            producer: {
              app: 'a',
              id: this.#producers[producer.id] ?? '',
              batch: producer.batch,
              ...(producer.inTurn && producer.batch > 1 ? { after: producer.batch - 1 } : {}),
            },
          }),
    };
    const entry = order && this.#entry(order, entries);
    if (entry === undefined) return batch;
    entries.set(entry.orderId, entry);
    const { orderId, status, attempt } = entry;
    const ack = this.#message('ack', { orderId, status, attempt });
    batch.enqueue?.push({ lane: 'results', messages: [ack] });
    return {
      ...batch,
      journal: [entry],
      ...(status === 'received' ? { downlink: { received: entry.seq } } : {}),
    };
  }

  #entry(order: OrderPlan, entries: Map<string, JournalEntry>): JournalEntry | undefined {
    if (order.kind === 'receive') {
      return {
        orderId: randomUUIDv7(),
        seq: (this.#ordersReceived += 1),
        type: 'command',
        payloadJson: '{}',
        status: 'received',
        attempt: 0,
        receivedAt: 1,
        ...(order.expiresInMs === undefined
          ? {}
          : { expiresAt: SERVER_EPOCH_MS + this.#trueMs + order.expiresInMs }),
      };
    }
    const open = [...entries.values()].filter((entry) => !hasEnded(entry));
    const entry = open[order.at % Math.max(1, open.length)];
    if (entry === undefined) return undefined;
    const { status } = order;
    return { ...entry, status, attempt: entry.attempt + Number(status === 'started') };
  }

  #message(type: string, payload: object): NewMessage {
    const made = message(type, payload);
    this.payloads.set(made.id, made.payloadJson);
    return made;
  }

  #own(lane: Lane, seq: number, id: string): void {
    const place = `${this.#epoch} ${lane} ${seq}`;
    const owner = this.#owners.get(place) ?? id;
    assert.equal(id, owner, `${place} was given twice`);
    this.#owners.set(place, id);
  }
}

/** As an app hands a message over whose text it has already. */
const written = ({ id, type, sentAt, payloadJson }: NewMessage): WrittenMessage => ({
  id,
  type,
  sentAt,
  text: `{"id":"${id}","type":"${type}","sentAt":${sentAt},"payload":${payloadJson}}`,
});
