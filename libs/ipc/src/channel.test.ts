import { InternalError, RejectedError, TransientError } from '@bowline/runtime/errors';
import { waitFor } from '@bowline/testing';
import { describe, expect, it } from 'vitest';
import type { Channel, Outcome } from './channel.ts';
import { channelPair } from './testing/channel-pair.ts';
import { messageId, telemetry } from './testing/messages.ts';

const report = { orderId: messageId(1), status: 'started', at: 1 };

describe('requests', () => {
  it('when answers come in another order than the requests, each request gets its own', async () => {
    const waiting: ((attempt: number) => void)[] = [];
    const { app, clock } = channelPair({
      hub: { onRequest: () => new Promise((resolve) => waiting.push((attempt) => resolve({ attempt }))) },
    });
    const answers = [1, 2, 3].map(() => app.channel.request('reportOrder', report));
    await clock.advance(0);
    waiting[2]?.(3);
    await clock.advance(0);
    waiting[0]?.(1);
    waiting[1]?.(2);
    expect(await Promise.all(answers)).toEqual([{ attempt: 1 }, { attempt: 2 }, { attempt: 3 }]);
  });

  it('when several are made in one tick, they travel in one write and are worked on in order', async () => {
    const seen: unknown[] = [];
    const { app, wire, clock } = channelPair({
      hub: {
        onRequest: (_name, body) => {
          seen.push((body as { at: number }).at);
          return { attempt: 1 };
        },
      },
    });
    await Promise.all([1, 2, 3].map((at) => app.channel.request('reportOrder', { ...report, at })));
    expect(seen).toEqual([1, 2, 3]);
    expect(wire.toHub).toHaveLength(1);
    expect(wire.toApp).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('when both sides ask at once with equal ids, neither takes the question for its answer', async () => {
    const { app, hub } = channelPair({
      hub: { onRequest: () => ({ attempt: 7 }) },
      app: { onRequest: () => ({ outcome: 'stopping' }) },
    });
    const [fromHub, fromApp] = await Promise.all([
      app.channel.request('reportOrder', report),
      hub.channel.request('cancelOrder', { orderId: messageId(1) }),
    ]);
    expect([fromHub, fromApp]).toEqual([{ attempt: 7 }, { outcome: 'stopping' }]);
  });

  it('when the other side does not answer in time, the request fails with `deadline` and the late answer is counted', async () => {
    let answer = (_response: unknown) => {};
    const { app, clock } = channelPair({
      hub: { onRequest: () => new Promise((resolve) => (answer = resolve)) },
    });
    const request = app.channel.request('reportOrder', report, { deadlineMs: 500 });
    const failure = request.catch((error: unknown) => error);
    await clock.advance(499);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(1);
    expect(await failure).toMatchObject({ name: 'TransientError', code: 'deadline', retryable: true });
    answer({ attempt: 1 });
    await waitFor(() => app.counters.lateAnswers === 1);
  });

  it('when the connection ends, every request under way fails with its reason and later ones at once', async () => {
    const { app, clock } = channelPair({ hub: { onRequest: () => new Promise(() => {}) } });
    const requests = [1, 2].map(() => app.channel.request('reportOrder', report));
    await clock.advance(0);
    app.channel.end(new TransientError('hub-away', 'gone'));
    for (const request of [...requests, app.channel.request('reportOrder', report)]) {
      await expect(request).rejects.toMatchObject({ code: 'hub-away' });
    }
    expect(clock.pendingTimers).toBe(0);
  });

  it('when the caller gives up, the request fails with `cancelled`', async () => {
    const { app, clock } = channelPair({ hub: { onRequest: () => new Promise(() => {}) } });
    const stop = new AbortController();
    const request = app.channel.request('reportOrder', report, { signal: stop.signal });
    stop.abort();
    await expect(request).rejects.toMatchObject({ name: 'CancelledError' });
    const late = app.channel.request('reportOrder', report, { signal: stop.signal });
    await expect(late).rejects.toMatchObject({ name: 'CancelledError' });
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('contract', () => {
  it('when our own request breaks it, InternalError is thrown and nothing is sent', async () => {
    const { app, wire } = channelPair();
    const bad = app.channel.request('reportOrder', { ...report, status: 'done' });
    await expect(bad).rejects.toMatchObject({ name: 'InternalError', code: 'own-message-invalid' });
    await expect(app.channel.request('order', {})).rejects.toMatchObject({ name: 'InternalError' });
    expect(wire.toHub).toEqual([]);
  });

  it('when our own answer breaks it, the other side gets an error instead and the failure is counted', async () => {
    const { app, hub } = channelPair({ hub: { onRequest: () => ({ apps: 'many' }) } });
    await expect(app.channel.request('status', {})).rejects.toMatchObject({
      code: 'own-message-invalid',
    });
    expect(hub.counters.handlerFailures).toBe(1);
  });

  it('when a request of the other side breaks it, it is refused and counted and no handler sees it', async () => {
    const seen: unknown[] = [];
    const { hub, wire, clock } = channelPair({ hub: { onRequest: (_name, body) => seen.push(body) } });
    const frame = (...messages: unknown[]) => hub.channel.receive({ messages, lines: [], bytes: 100 });
    frame(
      ['request', 1, 'reportOrder', { ...report, status: 'done' }],
      ['request', 2, 'constructor', {}],
      ['request', 3, 'order', {}],
    );
    await clock.advance(0);
    await waitFor(() => wire.toApp.length > 0);
    expect(seen).toEqual([]);
    expect(hub.counters.contractErrors).toBe(3);
    const errors = wire.toApp.flat().map(({ text }) => JSON.parse(text) as unknown[]);
    expect(errors).toMatchObject([
      ['error', 1, { code: 'invalid', retryable: false }],
      ['error', 2, { code: 'unsupported', retryable: false }],
      ['error', 3, { code: 'unsupported', retryable: false }],
    ]);
  });

  it('when an answer of the other side breaks it, the request fails with ContractError', async () => {
    const { app, clock } = channelPair({ hub: { onRequest: () => new Promise(() => {}) } });
    const request = app.channel.request('reportOrder', report);
    const failure = request.catch((error: unknown) => error);
    await clock.advance(0);
    app.channel.receive({ messages: [['response', 1, { attempt: -1 }]], lines: [], bytes: 10 });
    expect(await failure).toMatchObject({ name: 'ContractError', code: 'invalid' });
    expect(app.counters.contractErrors).toBe(1);
  });

  it.each([
    ['not a list', 'text'],
    ['an unknown kind', ['shout', 1, {}]],
    ['an id that is no number', ['request', '1', 'status', {}]],
    ['an error without code', ['error', 1, { message: 'x', retryable: true }]],
    ['a notification that is unknown', ['notification', 'weather', {}]],
    ['a notification that is invalid', ['notification', 'progress', { orderId: 5 }]],
  ])('when a message is %s, it is counted and the others of its frame are handled', (_what, message) => {
    const seen: string[] = [];
    const { hub } = channelPair({ hub: { onNotification: (name) => seen.push(name) } });
    const good = ['notification', 'appState', { state: 'ready' }];
    hub.channel.receive({ messages: [message, good], lines: [], bytes: 100 });
    expect(seen).toEqual(['appState']);
    expect(hub.counters.contractErrors).toBe(1);
  });
});

describe('room', () => {
  it('when a request was refused for too many under way, the owner is told once one of them is answered', async () => {
    const answers: (() => void)[] = [];
    const { app } = channelPair({
      hub: { onRequest: () => new Promise((resolve) => answers.push(() => resolve({ attempt: 1 }))) },
      limits: { outstandingRequests: 2 },
    });
    const requests = [1, 2].map(() => app.channel.request('reportOrder', report));
    await expect(app.channel.request('reportOrder', report)).rejects.toMatchObject({ code: 'window-full' });
    await waitFor(() => answers.length === 2);
    expect(app.events).toEqual([]);
    for (const answer of answers) answer();
    await Promise.all(requests);
    expect(app.events).toEqual(['room']);
  });
});

describe('lines', () => {
  const producer = '01900000-0000-4000-8000-000000000000';
  const ask = (channel: Channel, batch: number, lines: string[]) =>
    new Promise<Outcome>((resolve) => {
      channel.send('enqueue', JSON.stringify({ producer, batch }), undefined, resolve, lines);
    });
  const line = (n: number) => JSON.stringify(telemetry(n));

  it('when requests of one tick bring lines, each handler gets its own, decoded and as they came', async () => {
    const seen: unknown[] = [];
    const { app } = channelPair({
      hub: {
        onRequest: (name, body) => {
          seen.push(body);
          return name === 'enqueue' ? { accepted: 1, duplicate: false } : { attempt: 1 };
        },
      },
    });
    const outcomes = [
      ask(app.channel, 1, [line(1), line(2)]),
      app.channel.request('reportOrder', report),
      ask(app.channel, 2, [line(3)]),
    ];
    await Promise.all(outcomes);
    expect(seen).toEqual([
      { producer, batch: 1, messages: [telemetry(1), telemetry(2)], texts: [line(1), line(2)] },
      report,
      { producer, batch: 2, messages: [telemetry(3)], texts: [line(3)] },
    ]);
  });

  it.each([
    ['is not JSON', '{"id":'],
    ['breaks its schema', JSON.stringify({ ...telemetry(2), id: 'two' })],
    ['is empty', ''],
  ])(
    'when a line %s, the request is refused, the line is named and no handler sees it',
    async (_what, bad) => {
      const { app, hub } = channelPair({ hub: { onRequest: () => expect.unreachable() } });
      const outcome = await ask(app.channel, 1, [line(1), bad]);
      expect(outcome).toMatchObject({ kind: 'refused', error: { code: 'invalid' } });
      expect(outcome.kind === 'refused' && outcome.error.message).toContain('enqueue/1');
      expect(hub.counters.contractErrors).toBe(1);
    },
  );

  it.each([
    ['brings none', 'enqueue', { producer, batch: 1 }, 0],
    ['may bring none', 'status', {}, 1],
    ['claims a number that is none', 'enqueue', { producer, batch: 1 }, -1],
  ])('when a request %s, it is counted as a breach', async (_what, name, body, lines) => {
    const { hub, clock } = channelPair({ hub: { onRequest: () => expect.unreachable() } });
    hub.channel.receive({ messages: [['request', 1, name, body, lines]], lines: [line(1)], bytes: 10 });
    await clock.advance(0);
    expect(hub.counters.contractErrors).toBeGreaterThan(0);
  });

  it('when a message of unknown shape stands before one with lines, no request gets lines of another', async () => {
    const { hub, clock } = channelPair({ hub: { onRequest: () => expect.unreachable() } });
    const message = ['request', 2, 'enqueue', { producer, batch: 1 }, 1];
    hub.channel.receive({ messages: [['shout', 1, 1], message], lines: [line(1), line(2)], bytes: 10 });
    await clock.advance(0);
    expect(hub.counters.contractErrors).toBe(2);
  });

  it('when a request claims more lines than the frame has, the others of the frame are handled', async () => {
    const seen: string[] = [];
    const { hub } = channelPair({ hub: { onNotification: (name) => seen.push(name) } });
    const greedy = ['request', 1, 'enqueue', { producer, batch: 1 }, 9];
    const good = ['notification', 'appState', { state: 'ready' }];
    hub.channel.receive({ messages: [greedy, good], lines: [line(1)], bytes: 10 });
    expect(seen).toEqual(['appState']);
    expect(hub.counters.contractErrors).toBe(1);
  });
});

describe('errors', () => {
  it('when a handler refuses, the caller gets its code, message and class by `retryable`', async () => {
    let error: Error = new TransientError('store-busy', 'later');
    const { app } = channelPair({
      hub: {
        onRequest: () => {
          throw error;
        },
      },
    });
    await expect(app.channel.request('status', {})).rejects.toMatchObject({
      name: 'TransientError',
      code: 'store-busy',
      message: 'later',
    });
    error = new RejectedError('lane-full', 'no room');
    await expect(app.channel.request('status', {})).rejects.toMatchObject({
      name: 'RejectedError',
      code: 'lane-full',
    });
  });

  it('when a handler throws something unforeseen, the caller learns nothing of it and the rest of the frame is handled', async () => {
    const { app, hub } = channelPair({
      hub: {
        onRequest: (name) => {
          if (name === 'status') throw new TypeError('secret path /etc/x');
          return { attempt: 1 };
        },
        onNotification: () => {
          throw new Error('listener');
        },
      },
    });
    const failing = app.channel.request('status', {});
    app.channel.notify('appState', { state: 'ready' });
    const working = app.channel.request('reportOrder', report);
    await expect(failing).rejects.toMatchObject({ code: 'internal' });
    await expect(failing).rejects.not.toThrow(/secret/);
    expect(await working).toEqual({ attempt: 1 });
    expect(hub.counters.handlerFailures).toBe(2);
  });
});

describe('durable requests', () => {
  it.each([
    ['fails by a bug', () => Promise.reject(new InternalError('commit-failed', 'who knows'))],
    ['throws something unforeseen', () => Promise.reject(new TypeError('x'))],
    ['gives an answer that breaks the contract', () => Promise.resolve({ attempt: 'x' })],
  ])(
    'when the handler of one %s, nobody knows what was stored: no answer is given and the connection ends',
    async (_what, onRequest) => {
      const { app, hub, wire } = channelPair({ hub: { onRequest } });
      const request = app.channel.request('reportOrder', report).catch((error: unknown) => error);
      await waitFor(() => hub.events.length > 0);
      expect(hub.events).toEqual(['abort: it is unknown what was stored']);
      expect(wire.toApp).toEqual([]);
      app.channel.end(new TransientError('hub-away', 'gone'));
      expect(await request).toMatchObject({ code: 'hub-away' });
    },
  );
});

describe('bounds', () => {
  it('when as many requests wait as may, the next one fails with `window-full` until one is answered', async () => {
    const waiting: (() => void)[] = [];
    const { app, clock } = channelPair({
      hub: { onRequest: () => new Promise((resolve) => waiting.push(() => resolve({ attempt: 1 }))) },
      limits: { outstandingRequests: 2 },
    });
    const first = [1, 2].map(() => app.channel.request('reportOrder', report));
    await expect(app.channel.request('reportOrder', report)).rejects.toMatchObject({
      code: 'window-full',
      retryable: true,
    });
    await clock.advance(0);
    waiting[0]?.();
    await first[0];
    const third = app.channel.request('reportOrder', report);
    await clock.advance(0);
    for (const answer of waiting) answer();
    await Promise.all([...first, third]);
  });

  it('when a request is larger than a frame, it fails with `message-too-large`', async () => {
    const { app } = channelPair({ limits: { frameBytes: 4096 } });
    const note = 'é'.repeat(2000);
    const request = app.channel.request('reportOrder', { ...report, result: note });
    await expect(request).rejects.toMatchObject({ name: 'RejectedError', code: 'message-too-large' });
  });

  it('when an answer is larger than a frame, the caller gets `message-too-large`', async () => {
    const { hub } = channelPair({
      limits: { frameBytes: 4096 },
      app: { onRequest: () => ({ x: 'y'.repeat(5000) }) },
    });
    const order = {
      orderId: messageId(1),
      type: 'command',
      payload: {},
      state: 'received',
      attempt: 0,
      receivedAt: 1,
    };
    await expect(hub.channel.request('order', order)).rejects.toMatchObject({ code: 'message-too-large' });
  });

  it('when more requests are in work than may be, reading pauses and goes on at half of them', async () => {
    const waiting: (() => void)[] = [];
    const { app, hub, clock } = channelPair({
      hub: { onRequest: () => new Promise((resolve) => waiting.push(() => resolve({ attempt: 1 }))) },
      limits: { requestsInWork: 4 },
    });
    const requests = [1, 2, 3, 4, 5].map(() => app.channel.request('reportOrder', report));
    await clock.advance(0);
    expect(hub.events).toEqual(['pause']);
    waiting[0]?.();
    waiting[1]?.();
    await clock.advance(0);
    expect(hub.events).toEqual(['pause']);
    waiting[2]?.();
    await clock.advance(0);
    expect(hub.events).toEqual(['pause', 'resume']);
    for (const answer of waiting) answer();
    await Promise.all(requests);
  });

  it('when the bytes in work are more than may be, reading pauses too', () => {
    const { hub } = channelPair({
      hub: { onRequest: () => new Promise(() => {}) },
      limits: { bytesInWork: 1000 },
    });
    hub.channel.receive({ messages: [['request', 1, 'reportOrder', report]], lines: [], bytes: 999 });
    expect(hub.events).toEqual([]);
    hub.channel.receive({ messages: [['request', 2, 'reportOrder', report]], lines: [], bytes: 10 });
    expect(hub.events).toEqual(['pause']);
  });
});
