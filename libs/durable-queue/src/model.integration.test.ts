import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { test } from 'vitest';
import type { Lane } from '@bowline/messages';
import { LANES } from './lanes.ts';
import { openQueue } from './open-queue.ts';
import type { DurableQueue, WriteBatch } from './queue.ts';
import { differences, QueueModel } from './testing/model.ts';
import { message, NO_LIMIT, temporaryFolder } from './testing/test-queue.ts';

const RUNS = Number(process.env['BOWLINE_RUNS'] ?? 25);
const SEED = Number(process.env['BOWLINE_SEED'] ?? Date.now() % 1e9);

const limits = {
  results: { messages: 30, bytes: 1e9 },
  events: { messages: 60, bytes: 1e9 },
  telemetry: { messages: 20, bytes: 1e9 },
  history: { messages: 200, bytes: 8_000 },
};

type Action =
  | { kind: 'burst'; batches: BatchPlan[] }
  | { kind: 'read'; lane: Lane }
  | { kind: 'reject'; lane: Lane; at: number }
  | { kind: 'resend' }
  | { kind: 'renew' }
  | { kind: 'reopen' };

interface BatchPlan {
  enqueue: { lane: Lane; sizes: number[] }[];
  /** How many of the lane's oldest are receipted, in hundredths of what it holds; above 100 as well. */
  receipts: { lane: Lane; percent: number }[];
  setAside: { lane: Lane; at: number }[];
  producer: { id: number; batch: number } | undefined;
}

const lane = fc.constantFrom(...LANES);
const plan: fc.Arbitrary<BatchPlan> = fc.record({
  enqueue: fc.array(
    fc.record({ lane, sizes: fc.array(fc.integer({ min: 0, max: 600 }), { maxLength: 12 }) }),
    { maxLength: 3 },
  ),
  receipts: fc.array(fc.record({ lane, percent: fc.integer({ min: 0, max: 130 }) }), { maxLength: 2 }),
  setAside: fc.array(fc.record({ lane, at: fc.nat(10) }), { maxLength: 1 }),
  producer: fc.option(fc.record({ id: fc.nat(2), batch: fc.integer({ min: 1, max: 6 }) }), {
    nil: undefined,
  }),
});
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('burst' as const),
      batches: fc.array(plan, { minLength: 1, maxLength: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), lane }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reject' as const), lane, at: fc.nat(10) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'resend' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'renew' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
);

/** A store and its model, living through the same. */
class Life {
  readonly #folder: string;
  readonly #producers = [randomUUID(), randomUUID(), randomUUID()];
  readonly #model = new QueueModel(limits);
  #queue!: DurableQueue;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async open(): Promise<void> {
    this.#queue = await openQueue({ folder: this.#folder, wallMs: () => 1, lanes: limits });
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }

  async perform(action: Action): Promise<void> {
    const queue = this.#queue;
    const model = this.#model;
    if (action.kind === 'burst') await this.#commit(action.batches.map((plan) => this.#batch(plan)));
    else if (action.kind === 'read') queue.read(action.lane, 0, NO_LIMIT);
    else if (action.kind === 'reject') await this.#reject(action.lane, action.at);
    else if (action.kind === 'resend') await this.#resend();
    else if (action.kind === 'renew') {
      await queue.renewEpoch();
      model.renumber();
    } else {
      const { epoch } = queue;
      await this.close();
      await this.open();
      assert.deepEqual(this.#queue.epoch, epoch);
      assert.equal(this.#queue.recovery, undefined);
    }
    model.follow(this.#queue);
    assert.deepEqual(differences(this.#queue, model), []);
  }

  #batch({ enqueue, receipts, setAside, producer }: BatchPlan): WriteBatch {
    return {
      enqueue: enqueue.map(({ lane, sizes }) => ({
        lane,
        messages: sizes.map((size) => message('event', { pad: 'ä'.repeat(size % 7) + 'x'.repeat(size) })),
      })),
      receipts: Object.fromEntries(
        receipts.map(({ lane, percent }) => {
          const { first, next } = this.#queue.lanes()[lane];
          return [lane, first - 1 + Math.floor(((next - first) * percent) / 100)];
        }),
      ),
      setAside: setAside.map(({ lane, at }) => ({
        lane,
        seq: this.#queue.lanes()[lane].first + at,
        reason: 'corrupt',
        detail: '',
      })),
      ...(producer === undefined
        ? {}
        : { producer: { app: 'a', id: this.#producers[producer.id] ?? '', batch: producer.batch } }),
    };
  }

  async #commit(batches: WriteBatch[]): Promise<void> {
    // A gap cannot be set aside in the model, which does not know it.
    for (const batch of batches) {
      batch.setAside =
        batch.setAside?.filter(({ lane, seq }) =>
          this.#model.lanes[lane].messages.some((message) => message.seq === seq && lane !== 'events'),
        ) ?? [];
    }
    const answers = await Promise.all(
      batches.map((batch) =>
        this.#queue.commit(batch).then(
          ({ duplicate }) => (duplicate ? 'duplicate' : 'stored'),
          (error: { code: string }) => error.code,
        ),
      ),
    );
    assert.deepEqual(answers, this.#model.commit(batches));
  }

  async #reject(lane: Lane, at: number): Promise<void> {
    const read = this.#queue.read(lane, 0, NO_LIMIT).filter(({ json }) => JSON.parse(json).type !== 'gap');
    const message = read[at];
    if (message === undefined) return;
    await this.#queue.commit({ rejects: [{ id: message.id, code: 'invalid', detail: '' }] });
    const held = this.#model.lanes[lane];
    held.messages = held.messages.filter(({ id }) => id !== message.id);
    held.rejected += 1;
    this.#model.dead.push({ lane, id: message.id });
  }

  async #resend(): Promise<void> {
    const letters = this.#queue.deadLetters(1000);
    assert.deepEqual(
      letters.map(({ id }) => id).toReversed(),
      this.#model.dead.map(({ id }) => id),
    );
    await this.#queue.commit({ deadLetters: { purge: letters.map(({ number }) => number) } });
    this.#model.dead.length = 0;
  }
}

test(`when a store and a model of arrays live through the same, they hold the same (seed ${SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 3, maxLength: 25 }), async (actions) => {
      const folder = temporaryFolder();
      const life = new Life(folder);
      await life.open();
      try {
        for (const action of actions) await life.perform(action);
      } finally {
        await life.close();
        await rm(folder, { recursive: true });
      }
    }),
    // Each run is dear: what it shrinks to, it finds soon or never.
    { numRuns: RUNS, seed: SEED, interruptAfterTimeLimit: 300_000, markInterruptAsFailure: false },
  );
}, 600_000);
