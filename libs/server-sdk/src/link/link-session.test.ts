import { v7 as uuidv7 } from 'uuid';
import { beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../store/keys.ts';
import { DEVICE, EPOCH, FakeServer, lanes, type FakeLink } from '../testing/fake-link.ts';

let server: FakeServer;
beforeEach(async () => {
  server = await FakeServer.start();
});

describe('opening', () => {
  it('when no hello comes within 10 s, the link is closed 4408', async () => {
    const link = server.link();
    await server.clock.advance(9999);
    link.session.tick();
    expect(link.closed).toBeUndefined();
    await server.clock.advance(1);
    link.session.tick();
    expect(link.closed?.code).toBe(4408);
  });

  it('when hello comes, the welcome waits until the server has written what it means', async () => {
    const release = server.holdDisk();
    const link = await server.open();
    expect(link.of('welcome')).toEqual([]);
    release();
    await server.settle();
    expect(link.of('welcome')).toHaveLength(1);
  });

  it('when frames come before the welcome, they are ignored', async () => {
    const release = server.holdDisk();
    const link = await server.open();
    link.event(1);
    release();
    await server.settle();
    expect(link.receipts('events')).toEqual([]);
    link.event(1);
    await server.settle();
    expect(link.receipts('events')).toEqual([1]);
  });

  it('when a second hello comes while the first is worked off, the link is closed 4408', async () => {
    const release = server.holdDisk();
    const link = await server.open();
    link.hello();
    expect(link.closed?.code).toBe(4408);
    release();
  });

  it('when three links say hello at once, the last one wins and each of the others is closed 4409', async () => {
    const links = [server.link(), server.link(), server.link()];
    for (const link of links) link.hello();
    await server.settle();
    expect(links.map(({ closed }) => closed?.code)).toEqual([4409, 4409, undefined]);
    expect(links.map((link) => link.of('welcome').length)).toEqual([0, 0, 1]);
  });

  it('when an earlier link still has something on its way to the disk, the welcome waits for it and tells of it', async () => {
    const first = await server.open();
    const release = server.holdDisk();
    first.event(1);
    const second = await server.open();
    expect(second.of('welcome')).toEqual([]);
    first.event(2);
    release();
    await server.settle();
    expect(second.of('welcome')).toMatchObject([{ received: { events: 1 }, resumed: true }]);
    expect(first.receipts('events')).toEqual([]);
  });

  it('when an earlier link says hello after a later one, it is closed 4409 and changes nothing', async () => {
    const early = server.link();
    const late = await server.open();
    expect(early.closed?.code).toBe(4409);
    early.hello();
    await server.settle();
    expect(early.of('welcome')).toEqual([]);
    late.event(1);
    await server.settle();
    expect(late.receipts('events')).toEqual([1]);
  });

  it('when a later link has not said hello, an earlier one that does is welcomed', async () => {
    const early = server.link();
    const late = server.link();
    early.hello();
    await server.settle();
    expect(early.of('welcome')).toHaveLength(1);
    expect(late.closed).toBeUndefined();
  });

  it('when the replaced link ends, the device stays online', async () => {
    const first = await server.open();
    const second = await server.open();
    first.session.ended();
    expect(server.services.status.isOnline(DEVICE)).toBe(true);
    second.session.ended();
    expect(server.services.status.isOnline(DEVICE)).toBe(false);
  });

  it('when the device shows less than it sent in this epoch, the welcome tells what is here and operators hear of it', async () => {
    const first = await server.open();
    for (let seq = 1; seq <= 5; seq += 1) first.event(seq);
    await server.settle();
    first.session.ended();
    const link = await server.open(lanes({ events: [2, 4] }));
    expect(link.of('welcome')).toMatchObject([{ received: { events: 5 } }]);
    expect(server.alarms()).toEqual(['device-rollback']);
  });
});

describe('orders and the epoch of the server', () => {
  const give = async () => {
    const { identity, orders } = server.services;
    const payload = { name: 'ping' };
    return (await orders.create(DEVICE, identity.serverEpoch, { type: 'command', payload })).orderId;
  };
  const got = (link: FakeLink) =>
    link.sent.filter(({ type }) => type === 'command').map(({ id, seq }) => [id, seq]);
  const told = (link: FakeLink) => String(link.of('welcome')[0]?.['serverEpoch']);

  it('when the server was set back to before it knew the device, a new epoch begins for this device alone', async () => {
    const { identity } = server.services;
    const link = await server.open({ received: 3, serverEpoch: identity.serverEpoch });
    expect(told(link)).not.toBe(identity.serverEpoch);
    expect(server.alarms()).toEqual(['server-rollback']);
    const orderId = await give();
    expect(got(link)).toEqual([[orderId, 1]]);
  });

  it('when orders were given on an older state before the device came back, they are sent under a new epoch', async () => {
    const { serverEpoch } = server.services.identity;
    const ids = [await give(), await give(), await give()];
    const link = await server.open({ received: 2, serverEpoch });
    expect(got(link)).toEqual(ids.map((id, index) => [id, index + 1]));
    expect(server.alarms()).toEqual(['server-rollback']);
    link.live('receipt', { lanes: { orders: 3 } });
    link.session.ended();
    const again = await server.open({ received: 3, serverEpoch: told(link) });
    expect([told(again), got(again)]).toEqual([told(link), []]);
    expect(server.alarms()).toEqual(['server-rollback']);
  });

  it('when an order was given on an open link, what the device has of it is no proof of anything', async () => {
    const { serverEpoch } = server.services.identity;
    const waiting = await give();
    const link = await server.open();
    const live = await give();
    expect(got(link)).toEqual([
      [waiting, 1],
      [live, 2],
    ]);
    link.session.ended();
    const later = await give();
    const again = await server.open({ received: 2, serverEpoch });
    expect([told(again), got(again)]).toEqual([serverEpoch, [[later, 3]]]);
    expect(server.alarms()).toEqual([]);
  });

  it('when the server was set back to before an ack that it receipted, the order goes out again and is reported once more', async () => {
    const { serverEpoch } = server.services.identity;
    const orderId = await give();
    const link = await server.open({ serverEpoch });
    link.live('receipt', { lanes: { orders: 1 } });
    link.session.ended();
    const shown = { received: 1, ...lanes({ results: [4, 4] }) };
    const again = await server.open({ serverEpoch, ...shown });
    expect(got(again)).toEqual([[orderId, 1]]);
    expect(server.alarms()).toEqual(['unexplained-hole']);
    again.live('receipt', { lanes: { orders: 1 } });
    again.session.ended();
    const later = await server.open({ serverEpoch: told(again), ...shown });
    expect([told(later), got(later)]).toEqual([told(again), []]);
  });

  it('when an order is handed to a link, that it may have been sent is on disk already', async () => {
    const onDisk = () =>
      JSON.parse(server.backend.get(keys.downlink(DEVICE))?.toString() ?? '{}') as { offered: number };
    const atSend: unknown[] = [];
    const link = server.link();
    link.send = (text) => {
      const { type, seq } = JSON.parse(text) as { type: string; seq?: number };
      if (type === 'command') atSend.push([seq, onDisk().offered]);
    };
    await give();
    expect(onDisk().offered).toBe(0);
    link.hello();
    await server.settle();
    await give();
    expect(atSend).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  it('when a device claims too much each time, its orders go out each time and its other alarms stay', async () => {
    const orderId = await give();
    server.services.status.alarm(DEVICE, 'clone', 'another one');
    let { serverEpoch } = server.services.identity;
    for (let time = 0; time < 50; time += 1) {
      const link = await server.open({ received: 1e9, serverEpoch });
      expect(got(link)).toEqual([[orderId, 1]]);
      expect(told(link)).not.toBe(serverEpoch);
      serverEpoch = told(link);
      await server.clock.advance(61_000);
    }
    expect(server.alarms().filter((kind) => kind === 'clone')).toHaveLength(1);
    expect(server.alarms().filter((kind) => kind === 'server-rollback')).toHaveLength(5);
  });
});

describe('receipts', () => {
  it('when the disk has not answered, there is none', async () => {
    const link = await server.open();
    const release = server.holdDisk();
    link.event(1);
    await server.clock.advance(5000);
    expect(link.of('receipt')).toEqual([]);
    release();
    await server.settle();
    expect(link.receipts('events')).toEqual([1]);
  });

  it('when messages trickle in, there is one at most every 100 ms, and each comes within 1 s', async () => {
    const link = await server.open();
    for (let seq = 1; seq <= 50; seq += 1) {
      link.event(seq);
      await server.clock.advance(10);
    }
    await server.clock.advance(100);
    const receipts = link.receipts('events');
    expect(receipts.length).toBeLessThanOrEqual(7);
    expect(receipts.at(-1)).toBe(50);
  });

  it('when several lanes moved, one receipt says so', async () => {
    const link = await server.open();
    link.event(1);
    const sample = { samples: [{ series: 'a', at: 1, value: 1 }] };
    link.frame({ type: 'telemetry', id: uuidv7(), lane: 'telemetry', seq: 1, sentAt: 1, payload: sample });
    link.event(2);
    await server.clock.advance(100);
    const told = link.of('receipt').map(({ lanes }) => lanes as Record<string, number>);
    expect(told.length).toBeLessThanOrEqual(2);
    expect(Object.assign({}, ...told)).toEqual({ events: 2, telemetry: 1 });
  });

  it('when the link is closed meanwhile, none goes out, and the message is here all the same', async () => {
    const link = await server.open();
    const release = server.holdDisk();
    link.event(1);
    link.session.close(1013);
    release();
    await server.settle();
    expect(link.of('receipt')).toEqual([]);
    expect((await server.open(lanes({ events: [1, 2] }))).of('welcome')).toMatchObject([
      { received: { events: 1 } },
    ]);
  });

  it('when a close was sent, what comes after it is not stored', async () => {
    const link = await server.open();
    link.session.close(1013);
    link.event(1);
    await server.settle();
    expect((await server.open()).of('welcome')).toMatchObject([{ received: { events: 0 } }]);
  });
});

describe('back-pressure', () => {
  it('when more is on its way to the disk than is allowed, reading stops until half of it is there', async () => {
    server = await FakeServer.start({ inflightBytes: 1000 });
    const link = await server.open();
    const release = server.holdDisk();
    for (let seq = 1; seq <= 8; seq += 1) link.event(seq);
    expect(link.paused).toBe(true);
    await server.clock.advance(61_000);
    link.session.tick();
    expect(link.terminated).toBe(false);
    release();
    await server.settle();
    expect(link.paused).toBe(false);
    expect(link.receipts('events').at(-1)).toBe(8);
  });
});

describe('time', () => {
  it('when nothing is heard for 30 s, one ping goes out; after 60 s the link is cut off', async () => {
    const link = await server.open();
    for (let second = 1; second <= 59; second += 1) {
      await server.clock.advance(1000);
      link.session.tick();
    }
    expect([link.pings, link.terminated]).toEqual([1, false]);
    await server.clock.advance(1000);
    link.session.tick();
    expect(link.terminated).toBe(true);
    expect(server.services.status.isOnline(DEVICE)).toBe(false);
  });

  it('when a pong comes, the silence is over', async () => {
    const link = await server.open();
    for (let round = 0; round < 5; round += 1) {
      await server.clock.advance(31_000);
      link.session.tick();
      link.session.heard();
    }
    expect([link.pings, link.terminated]).toEqual([5, false]);
  });

  it('when an order has been in flight for 60 s, the link is closed 4408', async () => {
    const link = await server.open();
    const { identity, orders } = server.services;
    const created = orders.create(DEVICE, identity.serverEpoch, {
      type: 'command',
      payload: { name: 'ping' },
    });
    await server.settle();
    await created;
    expect(link.of('command')).toHaveLength(1);
    for (let second = 1; second <= 60; second += 1) {
      await server.clock.advance(1000);
      link.session.heard();
      link.session.tick();
    }
    expect(link.closed?.code).toBe(4408);
  });

  it('when an order is not on disk yet, it is not sent', async () => {
    const link = await server.open();
    const release = server.holdDisk();
    const { identity, orders } = server.services;
    const created = orders.create(DEVICE, identity.serverEpoch, {
      type: 'command',
      payload: { name: 'ping' },
    });
    link.session.pump();
    await server.settle();
    expect(link.of('command')).toEqual([]);
    release();
    await server.settle();
    await created;
    expect(link.of('command')).toHaveLength(1);
  });
});

describe('drain', () => {
  it('when the server stops, what is on its way is receipted, then 1012 tells when to come back', async () => {
    const link = await server.open();
    link.event(1);
    await server.settle();
    link.event(2);
    const drained = link.session.drain(1234);
    link.event(3);
    await server.settle();
    await drained;
    expect(link.receipts('events')).toEqual([1, 2]);
    expect(link.closed).toEqual({ code: 1012, reason: '{"retryAfterMs":1234}' });
    expect((await server.open(lanes({ events: [3, 4] }))).of('welcome')).toMatchObject([
      { received: { events: 2 } },
    ]);
    expect(server.clock.pendingTimers).toBe(0);
  });
});

describe('final rejects', () => {
  it('when a message is refused, the reject goes out only once the dead letter is on disk', async () => {
    const link = await server.open();
    const release = server.holdDisk();
    link.frame({ type: 'event', id: uuidv7(), lane: 'events', seq: 1, sentAt: 1, payload: {} });
    await server.settle();
    expect(link.of('reject')).toEqual([]);
    release();
    await server.settle();
    expect(link.sent.map(({ type }) => type)).toEqual(['welcome', 'reject', 'receipt']);
    expect(server.services.deadLetters.list(DEVICE)).toMatchObject([
      { lane: 'events', seq: 1, code: 'invalid' },
    ]);
  });

  const batched = (seq: number, change: object = {}) => ({
    id: uuidv7(),
    type: 'event',
    seq,
    sentAt: 1,
    payload: { kind: 'a', severity: 'info', at: 1, data: {} },
    ...change,
  });
  it.each<[string, object]>([
    ['seqs of a batch are not consecutive', { type: 'batch', messages: [batched(1), batched(3)] }],
    ['a message in a batch has no envelope', { type: 'batch', messages: [batched(1), { seq: 2 }] }],
    ['a batch has no message', { type: 'batch', messages: [] }],
    ['the id of a message with a seq does not read', batched(1, { id: 7 })],
  ])(
    'when %s, it is refused without a name and the link ends before a receipt can pass it',
    async (_, frame) => {
      const link = await server.open();
      link.frame({ lane: 'events', ...frame });
      link.event(4);
      await server.settle();
      expect(link.of('reject')).toMatchObject([{ id: null, code: 'invalid' }]);
      expect(link.closed?.code).toBe(1007);
      expect(link.of('receipt')).toEqual([]);
      expect(server.services.deadLetters.list(DEVICE)).toHaveLength(1);

      const next = await server.open(lanes({ events: [1, 5] }));
      expect(next.of('welcome')).toMatchObject([{ received: { events: 0 } }]);
    },
  );

  it('when what is refused without an id was on no lane, the link stays', async () => {
    const link = await server.open();
    link.frame({ type: 'heartbeat', payload: {} });
    link.event(1);
    await server.settle();
    expect(link.of('reject')).toMatchObject([{ id: null }]);
    expect(link.receipts('events')).toEqual([1]);
  });
});

describe('holes', () => {
  it('when a gap comes before the jump that it explains, there is no hole', async () => {
    const link = await server.open(lanes({ telemetry: [1, 9] }));
    link.gap(1, { lane: 'events', from: 2, to: 3, count: 2, reason: 'overflow' });
    link.event(4);
    await server.settle();
    link.session.ended();
    await server.open(lanes({ events: [5, 5] }));
    expect(server.alarms()).toEqual([]);
  });

  it('when events of the hello are still to come, an open hole is only pending', async () => {
    const link = await server.open(lanes({ telemetry: [5, 9], events: [1, 4] }));
    link.event(1);
    link.event(2);
    await server.settle();
    expect(server.alarms()).toEqual([]);
    link.event(3);
    await server.settle();
    expect(server.alarms()).toEqual(['unexplained-hole']);
  });

  it('when a hole arises after the hello, it is judged at the next one', async () => {
    const link = await server.open(lanes({ events: [1, 2] }));
    link.event(1);
    link.event(5);
    await server.settle();
    expect(server.alarms()).toEqual([]);
    link.session.ended();
    await server.open(lanes({ events: [6, 6] }));
    expect(server.alarms()).toEqual(['unexplained-hole']);
  });

  it('when what was thought missing comes after all, it is stored', async () => {
    const link = await server.open(lanes({ events: [1, 9] }));
    link.event(3);
    link.event(1);
    link.event(2);
    await server.settle();
    expect(link.receipts('events').at(-1)).toBe(3);
    expect(link.of('reject')).toEqual([]);
    link.session.ended();
    await server.open(lanes({ events: [4, 4] }));
    expect(server.alarms()).toEqual([]);
  });

  it('when an epoch ends with open holes, operators are told', async () => {
    const link = await server.open();
    link.event(4);
    await server.settle();
    link.session.ended();
    await server.open({ epoch: EPOCH.replace(/1$/, '2') });
    expect(server.alarms()).toEqual(['new-epoch', 'unexplained-hole']);
  });
});
