import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Environment, jsonOf } from '@bowline/record-store';
import { describe, expect, test } from 'vitest';
import type { Lane } from '@bowline/messages';
import { stateKey } from './keys.ts';
import type { DurableQueue, JournalEntry } from './queue.ts';
import { stateOnly, type StoreState } from './state.ts';
import {
  ledgerHolds,
  message,
  messages,
  NO_LIMIT,
  openTestQueue,
  order,
  temporaryFolder,
} from './testing/test-queue.ts';

const all = (queue: DurableQueue, lane: Lane) => queue.read(lane, 0, NO_LIMIT);
const seqs = (queue: DurableQueue, lane: Lane) => all(queue, lane).map(({ seq }) => seq);
const gaps = (queue: DurableQueue) =>
  all(queue, 'events')
    .map(({ json }) => JSON.parse(json))
    .filter(({ type }) => type === 'gap')
    .map(({ payload }) => payload);

describe('messages', () => {
  test('when messages are committed, they are read back as they go on the wire, in order, also after a restart', async () => {
    const folder = temporaryFolder();
    const sent = [message('event', { text: 'grüße "x" \u{1f600}' }), message('event', { a: [1, 2] })];
    const queue = await openTestQueue({ folder });
    const { seqs } = await queue.commit({ enqueue: [{ lane: 'events', messages: sent }] });
    expect(seqs).toEqual([{ lane: 'events', from: 1, to: 2 }]);
    const { epoch } = queue;
    await queue.close();

    const again = await openTestQueue({ folder });
    expect(again.epoch).toBe(epoch);
    const stored = all(again, 'events');
    expect(stored.map(({ json }) => JSON.parse(json))).toEqual(
      sent.map(({ id, type, sentAt, payloadJson }, index) => ({
        id,
        type,
        seq: index + 1,
        sentAt,
        payload: JSON.parse(payloadJson),
      })),
    );
    for (const { json, bytes, id, seq } of stored) {
      expect(Buffer.byteLength(json)).toBe(bytes);
      expect(id).toBe(sent[seq - 1]?.id);
    }
    expect(again.lanes().events).toMatchObject({ first: 1, next: 3, messages: 2, oldestAt: sent[0]?.sentAt });
  });

  test('when many callers commit at once, each gets its own consecutive seqs and order holds', async () => {
    const queue = await openTestQueue({ folder: temporaryFolder() });
    const results = await Promise.all(
      Array.from({ length: 500 }, (_, n) =>
        queue.commit({ enqueue: [{ lane: 'telemetry', messages: [message('telemetry', { n })] }] }),
      ),
    );
    expect(results.map(({ seqs }) => seqs[0]?.from)).toEqual(Array.from({ length: 500 }, (_, n) => n + 1));
    expect(all(queue, 'telemetry').map(({ json }) => JSON.parse(json).payload.n)).toEqual(
      Array.from({ length: 500 }, (_, n) => n),
    );
  });

  test('when a lane is read in small bites, every message comes once and at least one a bite', async () => {
    const queue = await openTestQueue({ folder: temporaryFolder() });
    for (let n = 0; n < 5; n += 1) {
      await queue.commit({ enqueue: [{ lane: 'history', messages: messages(40) }] });
    }
    const seen: number[] = [];
    for (;;) {
      const bite = queue.read('history', seen.at(-1) ?? 0, { messages: 7, bytes: 10 });
      if (bite.length === 0) break;
      expect(bite).toHaveLength(1);
      seen.push(...bite.map(({ seq }) => seq));
    }
    expect(seen).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
  });

  test('when a batch is cut out, its body is the messages as read, joined by commas, within the limits', async () => {
    const queue = await openTestQueue({ folder: temporaryFolder() });
    await queue.commit({ enqueue: [{ lane: 'history', messages: messages(600) }] });
    const parts: string[] = [];
    let at = 0;
    for (;;) {
      const cut = queue.cut('history', at, { messages: 50, bytes: 4000 });
      if (cut === undefined) break;
      expect(cut.from).toBe(at + 1);
      expect(cut.messages).toBe(cut.to - cut.from + 1);
      expect(cut.messages).toBeLessThanOrEqual(50);
      expect(cut.body.length).toBeLessThanOrEqual(4000);
      parts.push(cut.body.toString());
      at = cut.to;
    }
    expect(parts.join(',')).toBe(
      all(queue, 'history')
        .map(({ json }) => json)
        .join(','),
    );
  });

  test('when messages came one a commit, they are cut out together, up to a hole and within the limits', async () => {
    const queue = await openTestQueue({ folder: temporaryFolder() });
    for (const one of messages(30)) await queue.commit({ enqueue: [{ lane: 'events', messages: [one] }] });
    const texts = all(queue, 'events').map(({ json }) => json);
    const cut = (after: number, limit = NO_LIMIT) => {
      const found = queue.cut('events', after, limit);
      return found && { ...found, body: found.body.toString() };
    };
    expect(cut(0)).toEqual({ lane: 'events', from: 1, to: 30, messages: 30, body: texts.join(',') });
    expect(cut(2, { messages: 5, bytes: 1e6 })?.body).toBe(texts.slice(2, 7).join(','));
    const [size = 0] = texts.map((text) => text.length);
    expect(cut(0, { messages: 30, bytes: 10 * size })?.body.length).toBeLessThanOrEqual(10 * size);
    expect(cut(0, { messages: 30, bytes: 10 * size })?.messages).toBeGreaterThanOrEqual(5);
    expect(cut(29)?.body).toBe(texts[29]);
    await queue.commit({ setAside: [{ lane: 'events', seq: 10, reason: 'corrupt', detail: '' }] });
    expect(cut(0)).toMatchObject({ from: 1, to: 9 });
    expect(cut(9)).toMatchObject({ from: 11, to: 31 });
  });

  test('when a message is too large or malformed, the whole batch is refused and nothing is stored', async () => {
    const queue = await openTestQueue({ folder: temporaryFolder(), messageBytes: 500 });
    const large = message('event', { text: 'x'.repeat(500) });
    const batch = [message('event'), large];
    await expect(queue.commit({ enqueue: [{ lane: 'events', messages: batch }] })).rejects.toMatchObject({
      code: 'message-too-large',
    });
    const strange = { ...message('event'), id: 'a"b' };
    await expect(queue.commit({ enqueue: [{ lane: 'events', messages: [strange] }] })).rejects.toMatchObject({
      code: 'invalid-message',
    });
    expect(queue.lanes().events).toEqual({ first: 1, next: 1, messages: 0, bytes: 0, offered: 0 });
  });

  test('when the text of a message is there already, it is stored as it is; one that begins otherwise is refused', async () => {
    const queue = await openTestQueue({ folder: temporaryFolder() });
    const { id, type, sentAt, payloadJson } = message('telemetry', { n: 1, deep: 'é"}' });
    const text = `{"id":"${id}","type":"${type}","sentAt":${sentAt},"payload":${payloadJson}}`;
    const commit = (text: string) =>
      queue.commit({ enqueue: [{ lane: 'telemetry', messages: [{ id, type, sentAt, text }] }] });
    await commit(text);
    const [stored] = all(queue, 'telemetry');
    expect(stored?.json).toBe(text.replace(',"sentAt"', ',"seq":1,"sentAt"'));
    expect(stored?.bytes).toBe(Buffer.byteLength(stored?.json ?? ''));
    for (const other of [
      text.replace('"type"', ' "type"'),
      text.replace(id, randomUUID()),
      text.replace(String(sentAt), `${sentAt}0`),
      text.replace('"payload":{', '"payload":[{'),
      JSON.stringify({ type, id, sentAt, payload: {} }),
    ]) {
      await expect(commit(other)).rejects.toMatchObject({ code: 'invalid-message' });
    }
  });

  test('when a batch comes after one that was refused, it is refused too, and what is stored stays a row', async () => {
    const queue = await openTestQueue({
      folder: temporaryFolder(),
      lanes: { events: { messages: 2, bytes: 1e6 } },
    });
    const producer = { app: 'telemetry-collector', id: randomUUID() };
    const store = (count: number, batch: number, after?: number) =>
      queue
        .commit({
          producer: { ...producer, batch, ...(after === undefined ? {} : { after }) },
          enqueue: [{ lane: 'events' as const, messages: messages(count, 'event') }],
        })
        .then(
          ({ duplicate }) => (duplicate ? 'duplicate' : 'stored'),
          (error: { code: string }) => error.code,
        );
    expect(await Promise.all([store(1, 1), store(2, 2, 1), store(1, 3, 2)])).toEqual([
      'stored',
      'lane-full',
      'out-of-order',
    ]);
    expect(await Promise.all([store(1, 3, 2), store(1, 4), store(1, 5, 4)])).toEqual([
      'out-of-order',
      'stored',
      'lane-full',
    ]);
    expect(await store(1, 4, 2)).toBe('duplicate');
    expect(seqs(queue, 'events')).toEqual([1, 2]);
  });

  test('when a call of the same producer comes again, it is stored once, also after a restart', async () => {
    const folder = temporaryFolder();
    const producer = { app: 'telemetry-collector', id: randomUUID(), batch: 7 };
    const batch = { producer, enqueue: [{ lane: 'telemetry' as const, messages: messages(3) }] };
    const queue = await openTestQueue({ folder });
    const [first, second] = await Promise.all([queue.commit(batch), queue.commit(batch)]);
    expect([first?.duplicate, second?.duplicate]).toEqual([false, true]);
    await queue.close();

    const again = await openTestQueue({ folder });
    expect((await again.commit(batch)).duplicate).toBe(true);
    expect((await again.commit({ ...batch, producer: { ...producer, batch: 8 } })).duplicate).toBe(false);
    expect((await again.commit({ ...batch, producer: { ...producer, id: randomUUID() } })).duplicate).toBe(
      false,
    );
    expect(again.lanes().telemetry.messages).toBe(9);
  });
});

describe('receipts', () => {
  test('when a receipt ends inside a segment, what lies below is gone and the rest stays, also after a restart', async () => {
    const folder = temporaryFolder();
    const queue = await openTestQueue({ folder });
    await queue.commit({ enqueue: [{ lane: 'telemetry', messages: messages(10) }] });
    await queue.commit({ enqueue: [{ lane: 'telemetry', messages: messages(10) }] });
    await queue.commit({ receipts: { telemetry: 13 } });
    const { bytes } = queue.lanes().telemetry;
    expect(bytes).toBe(all(queue, 'telemetry').reduce((sum, { bytes }) => sum + bytes, 0));
    await queue.close();

    const again = await openTestQueue({ folder });
    expect(seqs(again, 'telemetry')).toEqual([14, 15, 16, 17, 18, 19, 20]);
    expect(again.lanes().telemetry).toMatchObject({ first: 14, next: 21, messages: 7, bytes });
    expect(again.ledger().telemetry).toEqual({
      accepted: 20,
      receipted: 13,
      expired: 0,
      dropped: 0,
      rejected: 0,
      waiting: 7,
    });
  });

  test('when everything is receipted and the store restarts, seqs go on and none is used twice', async () => {
    const folder = temporaryFolder();
    const queue = await openTestQueue({ folder });
    await queue.commit({ enqueue: [{ lane: 'events', messages: messages(5, 'event') }] });
    await queue.commit({ receipts: { events: 5 } });
    expect(queue.lanes().events).toEqual({ first: 6, next: 6, messages: 0, bytes: 0, offered: 0 });
    await queue.close();

    const again = await openTestQueue({ folder });
    expect(
      (await again.commit({ enqueue: [{ lane: 'events', messages: [message('event')] }] })).seqs,
    ).toEqual([{ lane: 'events', from: 6, to: 6 }]);
  });

  test('when a receipt is old or above what is stored, it deletes nothing that it does not name', async () => {
    const queue = await openTestQueue({ folder: temporaryFolder() });
    await queue.commit({ enqueue: [{ lane: 'events', messages: messages(3, 'event') }] });
    await queue.commit({ receipts: { events: 2 } });
    await queue.commit({ receipts: { events: 1 } });
    expect(seqs(queue, 'events')).toEqual([3]);
    const [, { seqs: added }] = await Promise.all([
      queue.commit({ receipts: { events: 99 } }),
      queue.commit({ enqueue: [{ lane: 'events', messages: [message('event')] }] }),
    ]);
    expect(added).toEqual([{ lane: 'events', from: 4, to: 4 }]);
    expect(seqs(queue, 'events')).toEqual([4]);
  });
});

describe('full lanes', () => {
  const small = { messages: 10, bytes: 100_000 };

  test('when telemetry overflows, the oldest go and a gap in events names exactly them', async () => {
    const folder = temporaryFolder();
    const queue = await openTestQueue({ folder, lanes: { telemetry: small } });
    await queue.commit({ enqueue: [{ lane: 'telemetry', messages: messages(8) }] });
    await queue.commit({ enqueue: [{ lane: 'telemetry', messages: messages(6) }] });
    expect(seqs(queue, 'telemetry')).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    expect(queue.ledger().telemetry).toMatchObject({ accepted: 14, dropped: 4, waiting: 10 });
    await queue.close();

    const again = await openTestQueue({ folder });
    expect(gaps(again)).toEqual([{ lane: 'telemetry', from: 1, to: 4, count: 4, reason: 'overflow' }]);
    expect(ledgerHolds(again)).toBe(true);
  });

  test('when an overflow goes on unread, one gap grows; once it was read, the next one begins', async () => {
    const queue = await openTestQueue({ folder: temporaryFolder(), lanes: { telemetry: small } });
    const add = (count: number) =>
      queue.commit({ enqueue: [{ lane: 'telemetry', messages: messages(count) }] });
    await add(12);
    await add(3);
    await add(200);
    const { bytes } = queue.lanes().events;
    expect(gaps(queue)).toEqual([{ lane: 'telemetry', from: 1, to: 205, count: 205, reason: 'overflow' }]);
    expect(all(queue, 'events')[0]?.bytes).toBe(bytes);
    await add(2);
    expect(gaps(queue)).toEqual([
      { lane: 'telemetry', from: 1, to: 205, count: 205, reason: 'overflow' },
      { lane: 'telemetry', from: 206, to: 207, count: 2, reason: 'overflow' },
    ]);
    expect(ledgerHolds(queue)).toBe(true);
  });

  test('when results or events are full, a batch is refused whole and goes in after a receipt', async () => {
    const queue = await openTestQueue({
      folder: temporaryFolder(),
      lanes: { results: small, events: small },
    });
    for (const lane of ['results', 'events'] as const) {
      await queue.commit({ enqueue: [{ lane, messages: messages(9) }] });
      const batch = {
        enqueue: [
          { lane: 'telemetry' as const, messages: messages(1) },
          { lane, messages: messages(2) },
        ],
      };
      await expect(queue.commit(batch)).rejects.toMatchObject({ code: 'lane-full', details: { lane } });
      expect(queue.lanes()[lane].messages).toBe(9);
      await queue.commit({ receipts: { [lane]: 4 } });
      await queue.commit(batch);
    }
    expect(queue.lanes().telemetry.messages).toBe(2);
  });

  test('when telemetry overflows while events is full, the gap still finds room', async () => {
    const queue = await openTestQueue({
      folder: temporaryFolder(),
      lanes: { telemetry: small, events: small },
    });
    await queue.commit({ enqueue: [{ lane: 'events', messages: messages(10, 'event') }] });
    await queue.commit({ enqueue: [{ lane: 'telemetry', messages: messages(11) }] });
    expect(gaps(queue)).toHaveLength(1);
  });

  test('when messages grow older than their lane keeps them, they expire with a gap, over a reboot too', async () => {
    const folder = temporaryFolder();
    const lanes = { history: { ...small, ageMs: 100_000 } };
    let monotonicMs = 1_000_000;
    const queue = await openTestQueue({ folder, lanes, bootId: 'one', monotonicMs: () => monotonicMs });
    await queue.commit({ enqueue: [{ lane: 'history', messages: messages(2) }] });
    monotonicMs += 60_000;
    await queue.commit({ enqueue: [{ lane: 'history', messages: messages(1) }] });
    await queue.close();

    monotonicMs = 39_000;
    const again = await openTestQueue({ folder, lanes, bootId: 'two', monotonicMs: () => monotonicMs });
    await again.commit({ enqueue: [{ lane: 'telemetry', messages: messages(1) }] });
    expect(seqs(again, 'history')).toEqual([1, 2, 3]);
    monotonicMs = 43_000;
    await again.commit({ enqueue: [{ lane: 'telemetry', messages: messages(1) }] });
    expect(seqs(again, 'history')).toEqual([3]);
    expect(gaps(again)).toEqual([{ lane: 'history', from: 1, to: 2, count: 2, reason: 'expired' }]);
    expect(again.ledger().history).toMatchObject({ accepted: 3, expired: 2, waiting: 1 });
  });
});

describe('rejects and dead letters', () => {
  test('when the server rejects a message, it moves to the dead letters and leaves a hole, also after a restart', async () => {
    const folder = temporaryFolder();
    const queue = await openTestQueue({ folder });
    const sent = messages(4, 'event');
    await queue.commit({ enqueue: [{ lane: 'events', messages: sent }] });
    all(queue, 'events');
    await queue.commit({ rejects: [{ id: sent[1]?.id ?? '', code: 'invalid', detail: 'bad' }] });
    expect(seqs(queue, 'events')).toEqual([1, 3, 4]);
    expect(queue.cut('events', 0, NO_LIMIT)).toMatchObject({ from: 1, to: 1 });
    await queue.commit({
      rejects: [{ id: sent[0]?.id ?? '', lane: 'events', code: 'invalid', detail: 'bad' }],
    });
    expect(queue.lanes().events).toMatchObject({ first: 3, next: 5, messages: 2 });
    await queue.close();

    const again = await openTestQueue({ folder });
    expect(seqs(again, 'events')).toEqual([3, 4]);
    expect(again.deadLetters(10).map(({ lane, seq, id, code }) => ({ lane, seq, id, code }))).toEqual([
      { lane: 'events', seq: 1, id: sent[0]?.id, code: 'invalid' },
      { lane: 'events', seq: 2, id: sent[1]?.id, code: 'invalid' },
    ]);
    expect(again.ledger().events).toMatchObject({ accepted: 4, rejected: 2, waiting: 2 });
    await again.commit({ rejects: sent.slice(2).map(({ id }) => ({ id, code: 'conflict', detail: '' })) });
    expect(again.lanes().events).toEqual({ first: 5, next: 5, messages: 0, bytes: 0, offered: 0 });
  });

  test('when a message can never be sent, it is set aside with a gap', async () => {
    const queue = await openTestQueue({ folder: temporaryFolder() });
    await queue.commit({ enqueue: [{ lane: 'history', messages: messages(3) }] });
    const aside = {
      lane: 'history' as const,
      seq: 2,
      reason: 'too-large' as const,
      detail: 'above the frame',
    };
    await queue.commit({ setAside: [aside] });
    await queue.commit({ setAside: [aside] });
    expect(seqs(queue, 'history')).toEqual([1, 3]);
    expect(gaps(queue)).toEqual([{ lane: 'history', from: 2, to: 2, count: 1, reason: 'too-large' }]);
    expect(queue.deadLetters(10)).toHaveLength(1);
  });

  test('when an operator sends a dead letter again, it goes out under its id and a new seq; purged, it is gone', async () => {
    const queue = await openTestQueue({ folder: temporaryFolder() });
    const sent = messages(2, 'event');
    await queue.commit({ enqueue: [{ lane: 'events', messages: sent }] });
    all(queue, 'events');
    await queue.commit({ rejects: sent.map(({ id }) => ({ id, code: 'invalid', detail: '' })) });
    const [second, first] = queue.deadLetters(10);
    await queue.commit({ deadLetters: { resend: [first?.number ?? -1], purge: [second?.number ?? -1, 99] } });
    expect(queue.deadLetters(10)).toEqual([]);
    const [again] = all(queue, 'events');
    expect(again).toMatchObject({ seq: 3, id: sent[0]?.id });
    expect(JSON.parse(again?.json ?? '')).toMatchObject({ payload: JSON.parse(sent[0]?.payloadJson ?? '') });
    expect(ledgerHolds(queue)).toBe(true);
  });

  test('when the server rejects with a long reason, its beginning is kept, so that a list of all fits into an answer', async () => {
    const queue = await openTestQueue({ folder: temporaryFolder() });
    const [sent] = messages(1, 'event');
    await queue.commit({ enqueue: [{ lane: 'events', messages: sent === undefined ? [] : [sent] }] });
    all(queue, 'events');
    const [code, detail] = ['c'.repeat(5000), 'd'.repeat(50_000)];
    await queue.commit({ rejects: [{ id: sent?.id ?? '', code, detail }] });
    expect(queue.deadLetters(1)).toMatchObject([{ code: code.slice(0, 64), detail: detail.slice(0, 256) }]);
  });

  test('when a lane is told one cap, the others stay what they are by default', async () => {
    let monotonicMs = 1;
    const clock = { bootId: 'one', monotonicMs: () => monotonicMs };
    const queue = await openTestQueue({
      folder: temporaryFolder(),
      lanes: { history: { messages: 2 } },
      ...clock,
    });
    await queue.commit({ enqueue: [{ lane: 'history', messages: messages(3) }] });
    expect(queue.ledger().history).toMatchObject({ dropped: 1, waiting: 2 });
    monotonicMs += 31 * 86_400_000;
    await queue.commit({ enqueue: [{ lane: 'history', messages: messages(1) }] });
    expect(queue.ledger().history).toMatchObject({ dropped: 1, expired: 2, waiting: 1 });
  });

  test('when there are more dead letters than are kept, the oldest go and are counted', async () => {
    const queue = await openTestQueue({ folder: temporaryFolder(), deadLetters: 2 });
    const sent = messages(4, 'event');
    await queue.commit({ enqueue: [{ lane: 'events', messages: sent }] });
    all(queue, 'events');
    for (const { id } of sent) await queue.commit({ rejects: [{ id, code: 'invalid', detail: '' }] });
    expect(queue.deadLetters(10).map(({ seq }) => seq)).toEqual([4, 3]);
    expect(queue.forgottenDeadLetters()).toBe(2);
  });
});

describe('journal', () => {
  test('when orders are journalled, they are found by id, by state and newest first, also after a restart', async () => {
    const folder = temporaryFolder();
    const queue = await openTestQueue({ folder });
    const [a, b, c] = [order({ seq: 3 }), order({ seq: 1 }), order({ seq: 2 })];
    await queue.commit({ journal: [a, b], downlink: { received: 2, serverEpoch: 'e' } });
    await queue.commit({ journal: [c] });
    const ended = { ...b, status: 'succeeded' as const, attempt: 1, endedAt: 5, resultJson: '{"ok":true}' };
    await queue.commit({ journal: [ended], enqueue: [{ lane: 'results', messages: [message('ack')] }] });
    await queue.close();

    const again = await openTestQueue({ folder });
    expect(again.order(b.orderId)).toEqual(ended);
    expect(again.order('unknown')).toBeUndefined();
    expect(again.unfinishedOrders()).toEqual([c, a]);
    expect(again.recentOrders(2)).toEqual([c, ended]);
    expect(again.downlink()).toEqual({ received: 2, serverEpoch: 'e' });
  });

  test('when the journal is full, only ended, receipted and expired entries give way; else it refuses', async () => {
    let serverMs: number | undefined;
    const queue = await openTestQueue({
      folder: temporaryFolder(),
      journalEntries: 2,
      serverMs: () => serverMs,
    });
    const [a, b, c] = [order({ expiresAt: 1000 }), order(), order()];
    await queue.commit({ journal: [a, b] });
    const refused = expect.objectContaining({ code: 'journal-full' });
    await expect(queue.commit({ journal: [c] })).rejects.toEqual(refused);
    await queue.commit({
      journal: [{ ...a, status: 'failed' }],
      enqueue: [{ lane: 'results', messages: [message('ack')] }],
    });
    serverMs = 2000;
    await expect(queue.commit({ journal: [c] })).rejects.toEqual(refused);
    await queue.commit({ receipts: { results: 1 } });
    serverMs = undefined;
    await expect(queue.commit({ journal: [c] })).rejects.toEqual(refused);
    serverMs = 2000;
    await queue.commit({ journal: [c] });
    expect(queue.order(a.orderId)).toBeUndefined();
    expect(queue.recentOrders(9)).toEqual([c, b]);
  });

  test('when the journal is full of orders without expiry, one goes seven days after its end', async () => {
    let monotonicMs = 0;
    const queue = await openTestQueue({
      folder: temporaryFolder(),
      journalEntries: 1,
      bootId: 'one',
      monotonicMs: () => monotonicMs,
    });
    await queue.commit({ journal: [order({ status: 'succeeded' })] });
    monotonicMs = 7 * 24 * 60 * 60 * 1000 - 1;
    await expect(queue.commit({ journal: [order()] })).rejects.toMatchObject({ code: 'journal-full' });
    monotonicMs += 1;
    await queue.commit({ journal: [order()] });
  });

  test('when the journal has too many bytes, a new order is refused, a change of an accepted one is not', async () => {
    const queue = await openTestQueue({ folder: temporaryFolder(), journalBytes: 3000 });
    const [a, b] = [order({ payloadJson: `{"x":"${'y'.repeat(1500)}"}` }), order()];
    await queue.commit({ journal: [a] });
    await expect(queue.commit({ journal: [{ ...b, payloadJson: a.payloadJson }] })).rejects.toMatchObject({
      code: 'journal-full',
    });
    await queue.commit({ journal: [{ ...a, status: 'succeeded', resultJson: a.payloadJson }] });
    expect(queue.order(a.orderId)?.resultJson).toBe(a.payloadJson);
  });

  test('when results has no room for the acks of a new order, it is refused, while accepted ones still report', async () => {
    const queue = await openTestQueue({
      folder: temporaryFolder(),
      lanes: { results: { messages: 12, bytes: 1_000_000 } },
    });
    const ack = () => [{ lane: 'results' as const, messages: [message('ack')] }];
    const [a, b, c] = [order(), order(), order()];
    await queue.commit({ journal: [a], enqueue: ack() });
    await queue.commit({ journal: [b], enqueue: ack() });
    await expect(queue.commit({ journal: [c], enqueue: ack() })).rejects.toMatchObject({ code: 'lane-full' });
    await expect(queue.commit({ enqueue: ack() })).rejects.toMatchObject({ code: 'lane-full' });
    const start = (entry: JournalEntry, attempt: number) =>
      queue.commit({ journal: [{ ...entry, status: 'started', attempt }], enqueue: ack() });
    for (const attempt of [1, 2, 3]) await start(a, attempt);
    // An order that starts over and over must not take the room of the other.
    for (const attempt of [4, 3])
      await expect(start(a, attempt)).rejects.toMatchObject({ code: 'lane-full' });
    for (const attempt of [1, 2, 3]) await start(b, attempt);
    for (const entry of [a, b]) {
      await queue.commit({ journal: [{ ...entry, status: 'succeeded', attempt: 3 }], enqueue: ack() });
    }
    await queue.commit({ receipts: { results: 10 } });
    await queue.commit({ journal: [c], enqueue: ack() });
  });
});

describe('the store', () => {
  test('when values are kept under a name, they survive a restart, and a long one is refused', async () => {
    const folder = temporaryFolder();
    const queue = await openTestQueue({ folder });
    await queue.commit({ meta: { attempts: '3' } });
    await expect(queue.commit({ meta: { attempts: 'x'.repeat(5000) } })).rejects.toMatchObject({
      code: 'meta-too-large',
    });
    await queue.close();
    const again = await openTestQueue({ folder });
    expect(again.meta('attempts')).toBe('3');
    expect(again.meta('other')).toBeUndefined();
  });

  test('when it is open already, a second opening is refused', async () => {
    const folder = temporaryFolder();
    await openTestQueue({ folder });
    await expect(openTestQueue({ folder })).rejects.toMatchObject({ code: 'already-running' });
  });

  test('when what is stored may be sent, it keeps how far, also after a restart, and stays there when it may not', async () => {
    const folder = temporaryFolder();
    const queue = await openTestQueue({ folder });
    const offered = (of: DurableQueue) => of.lanes().telemetry.offered;
    await queue.commit({ enqueue: [{ lane: 'telemetry', messages: messages(3) }] });
    expect(offered(queue)).toBe(0);
    queue.offering(true);
    await queue.commit({});
    expect(offered(queue)).toBe(3);
    await queue.commit({ enqueue: [{ lane: 'telemetry', messages: messages(2) }] });
    expect(offered(queue)).toBe(5);
    queue.offering(false);
    await queue.commit({ enqueue: [{ lane: 'telemetry', messages: messages(1) }] });
    await queue.close();
    const again = await openTestQueue({ folder });
    expect(offered(again)).toBe(5);
    await again.renewEpoch();
    expect(offered(again)).toBe(0);
  });

  test('when it was written by a later version of this program, it is refused and left alone', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'store.mdb');
    const { epoch, close } = await openTestQueue({ folder });
    await close();
    const env = Environment.open(file);
    const state = jsonOf<StoreState>(stateKey(), env.get(stateKey()) ?? Buffer.alloc(0));
    if (state === undefined) throw new Error('no state');
    await env.commit(stateOnly({ ...state, schema: 99 }));
    await env.close();
    await expect(openTestQueue({ folder })).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'store-newer',
    });

    const again = Environment.open(file);
    await again.commit(stateOnly(state));
    await again.close();
    expect((await openTestQueue({ folder })).epoch).toBe(epoch);
  });

  test('when a backlog is gone, the file is made small again at the next opening, with everything in it', async () => {
    const folder = temporaryFolder();
    const compaction = { smallestFile: 1_000_000, factor: 4, largestContent: 1e9 };
    const queue = await openTestQueue({ folder, compaction });
    for (let n = 0; n < 40; n += 1) {
      await queue.commit({ enqueue: [{ lane: 'history', messages: messages(500) }] });
    }
    const entry = order();
    await queue.commit({ receipts: { history: 19_900 }, journal: [entry], meta: { a: 'b' } });
    const [before, rest] = [queue.fileBytes(), all(queue, 'history')];
    expect(before).toBeGreaterThan(1_000_000);
    await queue.close();

    const again = await openTestQueue({ folder, compaction });
    expect(again.fileBytes()).toBeLessThan(before / 10);
    expect(again.epoch).toBe(queue.epoch);
    expect(again.recovery).toBeUndefined();
    expect(all(again, 'history')).toEqual(rest);
    expect(again.order(entry.orderId)).toEqual(entry);
    await again.commit({ enqueue: [{ lane: 'history', messages: messages(1) }] });
    await again.close();
    const third = await openTestQueue({ folder, compaction });
    expect(third.recovery).toBeUndefined();
    expect(third.lanes().history).toMatchObject({ first: 19_901, next: 20_002, messages: 101 });
  });

  test('when it takes a new epoch, what waits is numbered from 1 with the same ids, and goes on so after a restart', async () => {
    const folder = temporaryFolder();
    const queue = await openTestQueue({ folder, lanes: { telemetry: { messages: 10, bytes: 1e6 } } });
    await queue.commit({ enqueue: [{ lane: 'telemetry', messages: messages(14) }] });
    await queue.commit({ enqueue: [{ lane: 'events', messages: messages(3, 'event') }] });
    const done = order({ status: 'succeeded' });
    await queue.commit({ journal: [done], enqueue: [{ lane: 'results', messages: messages(2, 'ack') }] });
    await queue.commit({ receipts: { telemetry: 9, results: 1 }, meta: { a: 'b' } });
    all(queue, 'events');
    await queue.commit({ setAside: [{ lane: 'telemetry', seq: 11, reason: 'corrupt', detail: '' }] });
    const before = {
      epoch: queue.epoch,
      ids: all(queue, 'telemetry').map(({ id }) => id),
      ledger: queue.ledger(),
    };
    await queue.commit({ downlink: { received: 7, serverEpoch: 's' } });
    const renewing = queue.renewEpoch();
    const late = queue.commit({ receipts: { telemetry: 14, events: 3 } });
    const during = queue.commit({ enqueue: [{ lane: 'telemetry', messages: messages(1) }] });
    await renewing;
    await late;
    expect(queue.epoch).not.toBe(before.epoch);
    expect((await during).seqs[0]?.from).toBe(5);

    const check = (store: DurableQueue) => {
      expect(seqs(store, 'telemetry')).toEqual([1, 2, 3, 4, 5]);
      expect(all(store, 'telemetry').map(({ json }) => JSON.parse(json).seq)).toEqual([1, 2, 3, 4, 5]);
      expect(
        all(store, 'telemetry')
          .slice(0, 4)
          .map(({ id }) => id),
      ).toEqual(before.ids);
      expect(store.ledger().telemetry).toEqual({
        ...before.ledger.telemetry,
        accepted: before.ledger.telemetry.accepted + 1,
        waiting: 5,
      });
      expect(gaps(store)).toEqual([
        { lane: 'telemetry', count: 4, reason: 'overflow' },
        { lane: 'telemetry', count: 1, reason: 'corrupt' },
      ]);
      expect(store.lanes().events).toMatchObject({ first: 1, next: 6, messages: 5 });
      expect(store.order(done.orderId)).toEqual(done);
      expect(store.downlink()).toEqual({ received: 0, serverEpoch: 's' });
      expect(store.meta('a')).toBe('b');
      expect(store.deadLetters(9)).toHaveLength(1);
    };
    check(queue);
    const { epoch } = queue;
    await queue.close();
    const again = await openTestQueue({ folder });
    expect(again.epoch).toBe(epoch);
    check(again);
  });

  test.each([
    ['few', 5],
    ['so many that all is copied', 100],
  ])(
    'when it takes a new epoch after messages were taken out of %s places, what waits is numbered without holes, over and over',
    async (_, places) => {
      const folder = temporaryFolder();
      const queue = await openTestQueue({ folder });
      const sent = messages(2 * places + 3, 'event');
      await queue.commit({ enqueue: [{ lane: 'results', messages: sent }] });
      const odd = Array.from({ length: places }, (_, n) => 2 * n + 2);
      all(queue, 'results');
      await queue.commit({
        setAside: [...odd, 2 * places + 3].map((seq) => ({
          lane: 'results',
          seq,
          reason: 'corrupt',
          detail: '',
        })),
      });
      const ids = all(queue, 'results').map(({ id }) => id);
      expect(ids).toHaveLength(places + 2);

      await queue.renewEpoch();
      const check = (store: DurableQueue, first: number) => {
        const kept = all(store, 'results');
        expect(kept.slice(0, ids.length + 1 - first).map(({ id }) => id)).toEqual(ids.slice(first - 1));
        expect(kept.map(({ seq }) => seq)).toEqual(kept.map((_, n) => first + n));
        expect(kept.map(({ json }) => JSON.parse(json).seq)).toEqual(kept.map(({ seq }) => seq));
        expect(store.lanes().results).toMatchObject({
          first,
          next: first + kept.length,
          messages: kept.length,
        });
      };
      check(queue, 1);
      const { seqs: given } = await queue.commit({
        enqueue: [{ lane: 'results', messages: messages(1, 'event') }],
        receipts: { results: 2 },
      });
      expect(given).toEqual([{ lane: 'results', from: ids.length + 1, to: ids.length + 1 }]);
      check(queue, 3);
      await queue.close();
      const again = await openTestQueue({ folder });
      check(again, 3);
      await again.renewEpoch();
      ids.splice(0, 2);
      check(again, 1);
    },
  );
});
