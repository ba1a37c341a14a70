import { describe, expect, test } from 'vitest';
import { explainFrame, framesIn } from './explain-frame.ts';

const ID = '01980000-0000-7000-8000-000000000001';
const frame = (type: string, payload: object, more: object = {}) =>
  JSON.stringify({ type, id: ID, sentAt: 1_750_000_000_000, payload, ...more });

describe('explainFrame', () => {
  test('when it is an ack, it says what became of the order', () => {
    const payload = {
      orderId: ID,
      status: 'failed',
      attempt: 2,
      at: 1,
      error: { code: 'timeout', message: 'too slow' },
    };
    expect(explainFrame(frame('ack', payload, { lane: 'results', seq: 5 }))).toMatchObject([
      {
        from: 'device',
        type: 'ack',
        lane: 'results',
        seq: 5,
        says: `order ${ID} failed (attempt 2, timeout: too slow)`,
      },
    ]);
  });

  test('when it is a batch, each of its messages is explained', () => {
    const messages = [1, 2].map((seq) => ({
      id: ID,
      type: 'telemetry',
      seq,
      sentAt: 1,
      payload: { samples: [{ series: 'system.cpu.utilization', at: 1, value: 0.5 }] },
    }));
    const explained = explainFrame(JSON.stringify({ type: 'batch', lane: 'telemetry', messages }));
    expect(explained).toMatchObject([
      { lane: 'telemetry', seq: 1, says: '1 samples of 1 series: system.cpu.utilization' },
      { lane: 'telemetry', seq: 2 },
    ]);
  });

  test('when it is an order, it comes from the server', () => {
    expect(
      explainFrame(frame('command', { name: 'ping', params: { n: 1 } }, { lane: 'orders', seq: 1 })),
    ).toMatchObject([{ from: 'server', says: 'run ping {"n":1}' }]);
  });

  test('when a type goes both ways, the payload tells which way it went', () => {
    expect(explainFrame(frame('receipt', { lanes: { orders: 3 } }))).toMatchObject([{ from: 'device' }]);
    const answer = { re: ID, serverTime: 1, received: { results: 4 }, processed: {} };
    expect(explainFrame(frame('heartbeat', answer))).toMatchObject([
      { from: 'server', says: `answers ${ID}: holds results up to 4, processed nothing` },
    ]);
    expect(explainFrame(frame('receipt', { lanes: { results: 3 } }), 'server')).toMatchObject([
      { from: 'server' },
    ]);
  });

  test('when it breaks the contract, it says in which field', () => {
    expect(explainFrame(frame('command', { name: 7 }))).toMatchObject({
      code: 'invalid',
      why: expect.stringContaining('payload/name'),
    });
    expect(explainFrame('{"type":')).toMatchObject({ code: 'broken-json' });
    expect(explainFrame(frame('nonsense', {}))).toMatchObject({ code: 'unsupported' });
  });
});

describe('framesIn', () => {
  test('when a tool has put a time and an arrow before each frame, they are left out', () => {
    expect(framesIn('12:00 < {"a":1}\n\n12:01 > {"b":2}\n')).toEqual(['{"a":1}', '{"b":2}']);
  });

  test('when one frame is spread over many lines, it is one frame', () => {
    expect(framesIn('{\n  "a": 1\n}\n')).toEqual(['{\n  "a": 1\n}']);
  });
});
