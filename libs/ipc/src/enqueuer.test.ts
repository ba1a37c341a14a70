import { RejectedError, TransientError } from '@bowline/runtime/errors';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Outcome } from './channel.ts';
import { Enqueuer } from './enqueuer.ts';
import { limitsFrom, type IpcLimits } from './limits.ts';
import { telemetry } from './testing/messages.ts';

interface Sent {
  producer: string;
  batch: number;
  ids: number[];
  after: number | undefined;
  text: string;
  settle(outcome: Outcome): void;
}

/** Keeps what is sent and answers when the test says so. */
function recorder() {
  const sent: Sent[] = [];
  const state = { full: false };
  const channel = {
    send(
      _name: string,
      text: string,
      _deadlineMs: number | undefined,
      done: (outcome: Outcome) => void,
      lines: readonly string[] = [],
    ) {
      if (state.full) throw new TransientError('window-full', 'full');
      const { producer, batch, after } = JSON.parse(text) as {
        producer: string;
        batch: number;
        after?: number;
      };
      const ids = lines.map((line) => (JSON.parse(line) as { payload: { n: number } }).payload.n);
      sent.push({ producer, batch, after, ids, text: [text, ...lines].join('\n'), settle: done });
      return () => {};
    },
  };
  return { channel, sent, state };
}

const stored: Outcome = { kind: 'answered', response: { accepted: 1, duplicate: false } };
const lost: Outcome = { kind: 'unanswered', error: new TransientError('hub-away', 'gone') };
const refused: Outcome = { kind: 'refused', error: new RejectedError('lane-full', 'no room') };

const outOfOrder: Outcome = { kind: 'refused', error: new RejectedError('out-of-order', 'not stored') };

function start(limits: Partial<IpcLimits> = {}) {
  const recorded = recorder();
  let hung = 0;
  const enqueuer = new Enqueuer(limitsFrom(limits), () => (hung += 1));
  return { ...recorded, enqueuer, hung: () => hung };
}

describe('Enqueuer', () => {
  it('when calls come while a batch is under way, those of one turn go behind it, and later ones wait', async () => {
    const { enqueuer, channel, sent } = start();
    enqueuer.attach(channel);
    const calls = [1, 2, 3].map((n) => enqueuer.enqueue([telemetry(n), telemetry(n + 10)]));
    expect(sent).toMatchObject([{ batch: 1, after: undefined, ids: [1, 11] }]);
    await turn();
    const later = [4, 5].map((n) => enqueuer.enqueue([telemetry(n)]));
    await turn();
    expect(sent.slice(1)).toMatchObject([{ batch: 2, after: 1, ids: [2, 12, 3, 13] }]);
    sent[0]?.settle(stored);
    await calls[0];
    await turn();
    expect(sent.slice(2)).toMatchObject([{ batch: 3, after: 2, ids: [4, 5] }]);
    for (const n of [1, 2]) sent[n]?.settle(stored);
    await Promise.all([...calls, ...later]);
  });

  it('when calls are of the past, they share no batch with those of now, and the batch says so', async () => {
    const { enqueuer, channel, sent } = start();
    const calls = [1, 2, 3, 4].map((n) => enqueuer.enqueue([telemetry(n)], { past: n === 2 || n === 3 }));
    enqueuer.attach(channel);
    for (let n = 0; n < 3; n += 1) {
      await turn();
      sent[n]?.settle(stored);
    }
    await Promise.all(calls);
    expect(sent.map(({ ids, text }) => [ids, text.includes('"past":true')])).toEqual([
      [[1], false],
      [[2, 3], true],
      [[4], false],
    ]);
  });

  it('when the hub is away, calls wait and go out with its return', async () => {
    const { enqueuer, channel, sent } = start();
    const call = enqueuer.enqueue([telemetry(1)]);
    enqueuer.attach(channel);
    expect(sent).toHaveLength(1);
    sent[0]?.settle(stored);
    await call;
  });

  it('when answers are lost, the same batches are sent again, byte for byte, before anything newer', async () => {
    const { enqueuer, channel, sent } = start();
    enqueuer.attach(channel);
    const calls = [1, 2, 3].map((n) => enqueuer.enqueue([telemetry(n)]));
    await turn();
    const texts = sent.map(({ text }) => text);
    expect(texts).toHaveLength(2);
    for (const each of sent) each.settle(lost);
    enqueuer.detach();
    expect(sent).toHaveLength(2);
    enqueuer.attach(channel);
    expect(sent.slice(2).map(({ text }) => text)).toEqual(texts);
    sent[2]?.settle({ kind: 'answered', response: { accepted: 0, duplicate: true } });
    sent[3]?.settle(stored);
    await Promise.all(calls);
  });

  it('when the first of two is refused, what came behind it is taken back and sent after it, in the order of the calls', async () => {
    const { enqueuer, channel, sent } = start({ waitingCalls: 6 });
    const calls = [1, 2, 3, 4].map((n) => enqueuer.enqueue([telemetry(n)]));
    enqueuer.attach(channel);
    expect(sent.map(({ ids }) => ids)).toEqual([
      [1, 2],
      [3, 4],
    ]);
    const last = enqueuer.enqueue([telemetry(5)]);
    sent[0]?.settle(refused);
    await turn();
    expect(sent).toHaveLength(2);
    sent[1]?.settle(outOfOrder);
    for (const n of [2, 3]) {
      await turn();
      sent[n]?.settle(stored);
    }
    await turn();
    expect(sent.slice(2).map(({ ids, after }) => ({ ids, after }))).toEqual([
      { ids: [1], after: undefined },
      { ids: [2], after: undefined },
      { ids: [3, 4], after: 4 },
      { ids: [5], after: 5 },
    ]);
    for (const n of [4, 5]) sent[n]?.settle(stored);
    await Promise.all([...calls, last]);
  });

  it('when the refusal of the first is known and the answer to the second is lost, only the second is sent again', async () => {
    const { enqueuer, channel, sent } = start();
    enqueuer.attach(channel);
    const calls = [1, 2].map((n) => enqueuer.enqueue([telemetry(n)]));
    await turn();
    sent[0]?.settle(refused);
    sent[1]?.settle(lost);
    enqueuer.detach();
    enqueuer.attach(channel);
    await turn();
    expect(sent.slice(2)).toMatchObject([{ batch: 2, after: 1, ids: [2] }]);
    sent[2]?.settle(outOfOrder);
    await expect(calls[0]).rejects.toMatchObject({ code: 'lane-full' });
    await turn();
    expect(sent.slice(3)).toMatchObject([{ batch: 3, after: undefined, ids: [2] }]);
    sent[3]?.settle(stored);
    await calls[1];
  });

  it('when the hub refuses, the caller gets its error and the next call goes on', async () => {
    const { enqueuer, channel, sent } = start();
    enqueuer.attach(channel);
    const first = enqueuer.enqueue([telemetry(1)]);
    sent[0]?.settle(refused);
    await expect(first).rejects.toMatchObject({ name: 'RejectedError', code: 'lane-full' });
    const second = enqueuer.enqueue([telemetry(2)]);
    await turn();
    sent[1]?.settle(stored);
    await second;
  });

  it('when a batch of several calls is refused, it is sent again in halves, and each call gets its own answer', async () => {
    const { enqueuer, channel, sent } = start();
    const bad = 5;
    const calls = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => enqueuer.enqueue([telemetry(n)]));
    const outcomes = Promise.all(calls.map((call) => call.then(() => 'stored').catch(() => 'refused')));
    enqueuer.attach(channel);
    const later = enqueuer.enqueue([telemetry(9)]);
    const notStored = new Set<number | undefined>();
    for (let next = 0; next < sent.length; next += 1) {
      const { ids = [], batch, after } = sent[next] ?? {};
      const behind = after !== undefined && notStored.has(after);
      if (behind || ids.includes(bad)) notStored.add(batch);
      sent[next]?.settle(behind ? outOfOrder : ids.includes(bad) ? refused : stored);
      await turn();
    }
    await later;
    expect(await outcomes).toEqual(calls.map((_, index) => (index + 1 === bad ? 'refused' : 'stored')));
    expect(sent.map(({ ids }) => ids)).toEqual([
      [1, 2, 3, 4, 5, 6, 7, 8],
      [1, 2, 3, 4],
      [5, 6, 7, 8],
      [9], // behind it: taken back
      [5, 6],
      [5],
      [6],
      [7, 8],
      [9],
    ]);
  });

  it('when the window of the connection is full, the batch goes out once there is room', async () => {
    const { enqueuer, channel, sent, state } = start();
    state.full = true;
    enqueuer.attach(channel);
    const call = enqueuer.enqueue([telemetry(1)]);
    expect(sent).toHaveLength(0);
    state.full = false;
    enqueuer.pump();
    sent[0]?.settle(stored);
    await call;
  });

  it('when there is room while a batch is being sent, that batch is not sent twice', async () => {
    const { enqueuer, channel, sent } = start();
    enqueuer.attach({
      send: (...args) => {
        const giveUp = channel.send(...args);
        enqueuer.pump();
        return giveUp;
      },
    });
    const call = enqueuer.enqueue([telemetry(1)]);
    expect(sent.map(({ ids }) => ids)).toEqual([[1]]);
    sent[0]?.settle(stored);
    await call;
  });

  it('when the hub does not answer in time, the connection is reported as hung and the batch is kept', () => {
    const { enqueuer, channel, sent, hung } = start();
    enqueuer.attach(channel);
    enqueuer.enqueue([telemetry(1)]).catch(() => {});
    sent[0]?.settle({ kind: 'unanswered', error: new TransientError('deadline', 'late') });
    expect(hung()).toBe(1);
    enqueuer.attach(channel);
    expect(sent[1]?.text).toBe(sent[0]?.text);
  });

  it('when too many calls wait, the next fails with `window-full` at once', async () => {
    const { enqueuer, channel, sent } = start({ waitingCalls: 2 });
    const calls = [1, 2].map((n) => enqueuer.enqueue([telemetry(n)]));
    await expect(enqueuer.enqueue([telemetry(3)])).rejects.toMatchObject({
      code: 'window-full',
      retryable: true,
    });
    enqueuer.attach(channel);
    for (const n of [0, 1]) sent[n]?.settle(stored);
    await Promise.all(calls);
    await turn();
    const next = enqueuer.enqueue([telemetry(4)]);
    sent[2]?.settle(stored);
    await next;
  });

  it('when those who were answered call again at once, their calls go together', async () => {
    const { enqueuer, channel, sent } = start();
    const twice = async (n: number) => {
      await enqueuer.enqueue([telemetry(n)]);
      await enqueuer.enqueue([telemetry(n + 10)]);
    };
    const callers = [1, 2, 3].map(twice);
    enqueuer.attach(channel);
    sent[0]?.settle(stored);
    await turn();
    expect(sent.map(({ ids }) => ids)).toEqual([
      [1, 2, 3],
      [11, 12, 13],
    ]);
    sent[1]?.settle(stored);
    await Promise.all(callers);
  });

  it('when as many calls wait as may, a third of them goes at a time, so that some are on their way meanwhile', async () => {
    const { enqueuer, channel, sent } = start({ waitingCalls: 6 });
    const calls = [1, 2, 3, 4, 5, 6].map((n) => enqueuer.enqueue([telemetry(n)]));
    enqueuer.attach(channel);
    expect(sent.map(({ ids }) => ids)).toEqual([
      [1, 2],
      [3, 4],
    ]);
    sent[0]?.settle(stored);
    await turn();
    expect(sent[2]?.ids).toEqual([5, 6]);
    for (const n of [1, 2]) sent[n]?.settle(stored);
    await Promise.all(calls);
  });

  it('when a full batch waits as another is answered, it goes before those who were answered call again', async () => {
    const { enqueuer, channel, sent } = start({ waitingCalls: 6 });
    const order: string[] = [];
    const calls = [1, 2, 3, 4, 5, 6].map(async (n) => {
      await enqueuer.enqueue([telemetry(n)]);
      order.push(`${n} ended with ${sent.length} sent`);
    });
    enqueuer.attach(channel);
    expect(sent).toHaveLength(2);
    sent[0]?.settle(stored);
    expect(sent[2]?.ids).toEqual([5, 6]);
    for (const n of [1, 2]) sent[n]?.settle(stored);
    await Promise.all(calls);
    expect(order[0]).toBe('1 ended with 3 sent');
  });

  it('when too many bytes wait, the next fails with `window-full`, but one call may always wait', async () => {
    const { enqueuer } = start({ waitingBytes: 1000 });
    enqueuer.enqueue([telemetry(1, 2000)]).catch(() => {});
    await expect(enqueuer.enqueue([telemetry(2)])).rejects.toMatchObject({ code: 'window-full' });
  });

  it('when a call is larger than a frame, it fails with `message-too-large`', async () => {
    const { enqueuer } = start({ frameBytes: 10_000 });
    await expect(enqueuer.enqueue([telemetry(1, 9000)])).rejects.toMatchObject({ code: 'message-too-large' });
  });

  it('when calls together are larger than a frame or than a batch may be, they go in several batches', async () => {
    const { enqueuer, channel, sent } = start({ frameBytes: 10_000 });
    for (const n of [1, 2, 3]) enqueuer.enqueue([telemetry(n, 3000)]).catch(() => {});
    enqueuer.attach(channel);
    expect(sent.map(({ ids }) => ids)).toEqual([[1, 2], [3]]);

    const many = start();
    const most = Array.from({ length: 6000 }, (_, n) => telemetry(n));
    for (const _ of [1, 2]) many.enqueuer.enqueue(most).catch(() => {});
    many.enqueuer.attach(many.channel);
    expect(many.sent[0]?.ids).toHaveLength(6000);
    const tooMany = Array.from({ length: 10_001 }, (_, n) => telemetry(n));
    await expect(many.enqueuer.enqueue(tooMany)).rejects.toMatchObject({ code: 'message-too-large' });
  });

  it('when a message breaks the contract, the call fails with InternalError and nothing is sent', async () => {
    const { enqueuer, channel, sent } = start();
    enqueuer.attach(channel);
    const bad = { ...telemetry(1), id: 'one' };
    await expect(enqueuer.enqueue([telemetry(2), bad])).rejects.toMatchObject({
      code: 'own-message-invalid',
    });
    expect(sent).toEqual([]);
  });

  it('when a waiting call is given up, it is never sent', async () => {
    const { enqueuer, channel, sent } = start();
    const stop = new AbortController();
    const given = enqueuer.enqueue([telemetry(1)], { signal: stop.signal });
    const kept = enqueuer.enqueue([telemetry(2)]);
    stop.abort();
    await expect(given).rejects.toMatchObject({ name: 'CancelledError' });
    enqueuer.attach(channel);
    expect(sent.map(({ ids }) => ids)).toEqual([[2]]);
    sent[0]?.settle(stored);
    await kept;
  });

  it('when a sent call is given up, its caller goes on, its place is kept until the answer, and it is not sent alone', async () => {
    const { enqueuer, channel, sent } = start();
    const stop = new AbortController();
    const given = enqueuer.enqueue([telemetry(1)], { signal: stop.signal });
    const kept = [2, 3].map((n) => enqueuer.enqueue([telemetry(n)]));
    enqueuer.attach(channel);
    expect(sent[0]?.ids).toEqual([1, 2, 3]);
    stop.abort();
    await expect(given).rejects.toMatchObject({ name: 'CancelledError' });
    expect(sent).toHaveLength(1);
    sent[0]?.settle(refused);
    for (const n of [1, 2]) {
      await turn();
      sent[n]?.settle(stored);
    }
    await Promise.all(kept);
    expect(sent.map(({ ids }) => ids)).toEqual([[1, 2, 3], [2], [3]]);
  });

  it('when it is closed, every call that waits is cancelled and later ones too', async () => {
    const { enqueuer, channel } = start();
    enqueuer.attach(channel);
    const calls = [1, 2].map((n) => enqueuer.enqueue([telemetry(n)]));
    enqueuer.close();
    for (const call of [...calls, enqueuer.enqueue([telemetry(3)])]) {
      await expect(call).rejects.toMatchObject({ name: 'CancelledError' });
    }
  });

  it('when there is nothing to store, the call ends at once', async () => {
    const { enqueuer } = start();
    await enqueuer.enqueue([]);
  });
});
