import type { BatchCut } from '@bowline/durable-queue';
import { UPLINK_LANES, type Lane } from '@bowline/messages';
import { describe, expect, it } from 'vitest';
import { AckTracker } from './ack-tracker.ts';
import { OutgoingQueue } from './outgoing-queue.ts';
import { ReplayPace } from './sender/replay-offline.ts';

const LIMITS = {
  heartbeatMs: 1,
  frameBytes: 65_536,
  inflightMessages: 8,
  inflightBytes: 100_000,
  replayPerSecond: 4,
};

interface Stored {
  lane: Lane;
  seq: number;
  json: string;
}

/** A lane's messages with the given seqs, as they stand in the store. */
function stored(lane: Lane, seqs: number[], size = 60): Stored[] {
  return seqs.map((seq) => {
    const head = `{"id":"${lane}-${seq}","type":"t","seq":${seq},"sentAt":1,"payload":{"p":"`;
    const json = `${head}${'x'.repeat(Math.max(0, size - head.length - 3))}"}}`;
    return { lane, seq, json };
  });
}

function setUp(messages: Stored[], change: Partial<typeof LIMITS> = {}) {
  const limits = { ...LIMITS, ...change };
  const acks = new AckTracker({ results: 0, events: 0, telemetry: 0, history: 0 });
  const queue = {
    cut(lane: Lane, afterSeq: number, limit: { messages: number; bytes: number }): BatchCut | undefined {
      const found: Stored[] = [];
      let bytes = -1;
      for (const message of messages) {
        if (message.lane !== lane || message.seq <= afterSeq) continue;
        const last = found.at(-1);
        bytes += message.json.length + 1;
        if (
          last !== undefined &&
          (message.seq !== last.seq + 1 || found.length >= limit.messages || bytes > limit.bytes)
        )
          break;
        found.push(message);
      }
      const [first, last] = [found[0], found.at(-1)];
      if (first === undefined || last === undefined) return undefined;
      const body = Buffer.from(found.map(({ json }) => json).join(','));
      return { lane, from: first.seq, to: last.seq, messages: found.length, body };
    },
  };
  const outgoing = new OutgoingQueue(queue, acks, limits, new ReplayPace(limits.replayPerSecond, 0));
  /** Sends all that the window takes at time `nowMs`; the frames as JSON. */
  const drain = (nowMs = 0) => {
    const frames: { lane: Lane; seqs: number[]; bytes: number }[] = [];
    for (;;) {
      const next = outgoing.next(nowMs);
      if (next.kind !== 'frame') return { frames, end: next };
      const { data, ...sent } = next.frame;
      acks.sent({ ...sent, bytes: data.length }, nowMs);
      const frame = JSON.parse(data.toString()) as { lane: Lane; seq: number; messages?: { seq: number }[] };
      frames.push({
        lane: frame.lane,
        seqs: frame.messages?.map(({ seq }) => seq) ?? [frame.seq],
        bytes: data.length,
      });
    }
  };
  return { acks, outgoing, drain };
}

describe('OutgoingQueue', () => {
  it('when several lanes wait, they go by priority, each in order and packed into batches', () => {
    const waiting = UPLINK_LANES.toReversed().flatMap((lane) => stored(lane, [1, 2]));
    const { frames } = setUp(waiting).drain();
    expect(frames.map(({ lane }) => lane)).toEqual(['results', 'events', 'telemetry']);
    expect(frames[0]?.seqs).toEqual([1, 2]);
  });

  it('when telemetry fills its share, a quarter of the window is still free for results', () => {
    const waiting = stored('telemetry', [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const { drain, acks } = setUp(waiting);
    expect(drain().frames).toMatchObject([{ seqs: [1, 2, 3, 4, 5, 6] }]);
    waiting.push(...stored('results', [1, 2, 3]));
    expect(drain().frames).toMatchObject([{ lane: 'results', seqs: [1, 2] }]);
    expect(acks.inFlight().messages).toBe(8);
  });

  it('when history fills its share, a quarter of the window is still free for telemetry', () => {
    const waiting = stored('history', [1, 2, 3, 4, 5, 6]);
    const { drain } = setUp(waiting, { replayPerSecond: 100 });
    expect(drain().frames).toMatchObject([{ lane: 'history', seqs: [1, 2, 3, 4] }]);
    waiting.push(...stored('telemetry', [1, 2, 3]));
    expect(drain().frames).toMatchObject([{ lane: 'telemetry', seqs: [1, 2] }]);
  });

  it('when a lane is held, the others go on, and it says when the lane goes on', () => {
    const { outgoing, drain } = setUp([...stored('results', [1]), ...stored('events', [1])]);
    outgoing.hold('results', 500);
    expect(drain(0)).toMatchObject({
      frames: [{ lane: 'events' }],
      end: { kind: 'nothing', retryInMs: 500 },
    });
    expect(drain(500).frames).toMatchObject([{ lane: 'results', seqs: [1] }]);
  });

  it('when the server takes one message at a time, every lane still moves', () => {
    const { drain, acks } = setUp(stored('telemetry', [1, 2]), { inflightMessages: 1 });
    expect(drain().frames).toMatchObject([{ seqs: [1] }]);
    acks.receipted('telemetry', 1, 0);
    expect(drain().frames).toMatchObject([{ seqs: [2] }]);
  });

  it('when messages are large, no frame is larger than the server takes', () => {
    const { frames } = setUp(stored('results', [1, 2, 3, 4, 5], 1500), { frameBytes: 4096 }).drain();
    expect(frames.map(({ seqs }) => seqs)).toEqual([[1, 2], [3, 4], [5]]);
    expect(Math.max(...frames.map(({ bytes }) => bytes))).toBeLessThanOrEqual(4096);
  });

  it('when one message alone is too large, it is named', () => {
    const next = setUp(stored('results', [1], 5000), { frameBytes: 4096 }).outgoing.next(0);
    expect(next).toMatchObject({ kind: 'too-large', seq: 1 });
  });

  it('when the bytes of the window are used up, it waits for a receipt', () => {
    const { drain, acks } = setUp(stored('results', [1, 2], 900), { inflightBytes: 1000 });
    expect(drain().frames).toMatchObject([{ seqs: [1] }]);
    acks.receipted('results', 1, 0);
    expect(drain().frames).toMatchObject([{ seqs: [2] }]);
  });

  it('when history is replayed, it keeps its pace and says when to come back, and live lanes pass it', () => {
    const waiting = stored('history', [1, 2, 3, 4, 5, 6]);
    const { drain, acks } = setUp(waiting, { inflightMessages: 16 });
    const first = drain(0);
    expect(first.frames).toMatchObject([{ seqs: [1, 2, 3, 4] }]);
    expect(first.end).toEqual({ kind: 'nothing', retryInMs: 250 });
    acks.receipted('history', 4, 0);
    waiting.push(...stored('telemetry', [1]));
    expect(drain(0).frames).toMatchObject([{ lane: 'telemetry' }]);
    expect(drain(250).frames).toMatchObject([{ lane: 'history', seqs: [5] }]);
  });
});

describe('AckTracker', () => {
  it('when a receipt is above what was sent, it is beyond and frees nothing', () => {
    const { acks, drain } = setUp(stored('results', [1, 2]));
    drain();
    expect(acks.receipted('results', 3, 0)).toBe('beyond');
    expect(acks.inFlight().messages).toBe(2);
  });

  it('when a receipt ends in the middle of a batch, what it names is free, and the rest stays in flight', () => {
    const { acks, drain } = setUp(stored('results', [1, 2, 3, 4]));
    drain(0);
    const { bytes } = acks.inFlight();
    expect(acks.receipted('results', 3, 100)).toBe('progress');
    expect(acks.inFlight()).toEqual({ messages: 1, bytes: Math.ceil(bytes / 4) });
    expect(acks.unreceipted()).toMatchObject([{ fromSeq: 4, toSeq: 4 }]);
    expect(acks.receipted('results', 3, 200)).toBe('nothing');
    expect(acks.stalledMs(300)).toBe(200);
    expect(acks.receipted('results', 4, 400)).toBe('progress');
    expect(acks.inFlight()).toEqual({ messages: 0, bytes: 0 });
  });

  it('when something is in flight without progress, the time since the last progress is known', () => {
    const { acks, drain } = setUp(stored('results', [1]));
    expect(acks.stalledMs(500)).toBe(0);
    drain(1000);
    expect(acks.stalledMs(1500)).toBe(500);
    acks.receipted('results', 1, 1600);
    expect(acks.stalledMs(9000)).toBe(0);
  });
});
