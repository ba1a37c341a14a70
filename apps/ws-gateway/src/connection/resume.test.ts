import type { Hello, Welcome } from '@bowline/messages';
import { describe, expect, it } from 'vitest';
import { clampLimits, resume } from './resume.ts';

const range = (first: number, next: number) => ({ first, next });
const hello = (telemetry: { first: number; next: number }, serverEpoch?: string): Hello => ({
  deviceId: 'd',
  bootId: 'b',
  epoch: 'e',
  agentVersion: '0',
  capabilities: [],
  lanes: { results: range(1, 1), events: range(1, 1), telemetry, history: range(1, 1) },
  received: 0,
  ...(serverEpoch === undefined ? {} : { serverEpoch }),
  limits: { frameBytes: 1, inflightMessages: 1 },
  queue: { messages: 0, bytes: 0 },
});
const welcome = (telemetry: number | undefined): Welcome => ({
  sessionId: 's',
  resumed: true,
  serverTime: 0,
  serverEpoch: 'S',
  received: telemetry === undefined ? {} : { telemetry },
  heartbeatSeconds: 30,
  capabilities: [],
  limits: { frameBytes: 65_536, inflightMessages: 100, inflightBytes: 100, replayPerSecond: 10 },
  reconnect: { minMs: 0, maxMs: 0 },
});

describe('resume', () => {
  it('when the server has a part, that part is deleted and sending goes on behind it', () => {
    expect(resume(hello(range(3, 10)), welcome(5))).toMatchObject({
      receipts: { telemetry: 5 },
      sentUpTo: { telemetry: 5 },
    });
  });

  it('when the server has what was never sent, the store was restored, however much it holds by now', () => {
    expect(resume(hello(range(3, 10)), welcome(5), { telemetry: 4 })).toEqual({
      kind: 'restored',
      lane: 'telemetry',
    });
    expect(resume(hello(range(3, 10)), welcome(5), { telemetry: 5 })).toMatchObject({
      receipts: { telemetry: 5 },
    });
  });

  it('when the server has everything, all of it is deleted', () => {
    expect(resume(hello(range(3, 10)), welcome(9))).toMatchObject({ receipts: { telemetry: 9 } });
  });

  it('when the device dropped what the server lacks, it sends on from its first and deletes nothing', () => {
    const verdict = resume(hello(range(8, 10)), welcome(3));
    expect(verdict).toMatchObject({ kind: 'resume', receipts: {}, sentUpTo: { telemetry: 7 } });
  });

  it('when the server knows nothing of a lane, everything is sent from its first', () => {
    expect(resume(hello(range(1, 4)), welcome(undefined))).toMatchObject({
      receipts: {},
      sentUpTo: { telemetry: 0 },
    });
  });

  it('when the server has more than was ever sent, the store was restored: nothing is deleted', () => {
    expect(resume(hello(range(3, 10)), welcome(10))).toEqual({ kind: 'restored', lane: 'telemetry' });
  });

  it('when the server epoch is another one, it says so', () => {
    expect(resume(hello(range(1, 1), 'S'), welcome(0))).toMatchObject({ newServerEpoch: false });
    expect(resume(hello(range(1, 1), 'T'), welcome(0))).toMatchObject({ newServerEpoch: true });
    expect(resume(hello(range(1, 1)), welcome(0))).toMatchObject({ newServerEpoch: true });
  });
});

describe('clampLimits', () => {
  it('when a server tells senseless limits, they are brought into their range', () => {
    const told = welcome(0);
    const limits = { frameBytes: 1, inflightMessages: 0, inflightBytes: 0, replayPerSecond: 0 };
    expect(clampLimits({ ...told, heartbeatSeconds: 0.1, limits })).toEqual({
      heartbeatMs: 5000,
      frameBytes: 4096,
      inflightMessages: 1,
      inflightBytes: 1,
      replayPerSecond: 1,
    });
    expect(clampLimits({ ...told, heartbeatSeconds: 1e9 }).heartbeatMs).toBe(300_000);
  });
});
