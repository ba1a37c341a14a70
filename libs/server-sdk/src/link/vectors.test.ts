import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { DEVICE, FakeServer, lanes, type FakeLink } from '../testing/fake-link.ts';

interface Vector {
  name: string;
  frame?: { type: string; lane?: string; messages?: unknown[] } & Record<string, unknown>;
  parts?: { text: string; times?: number }[];
  valid: boolean;
  code?: string;
}

const file = createRequire(import.meta.url).resolve('@bowline/messages/vectors/uplink.json');
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vector[];
const textOf = ({ frame, parts = [] }: Vector): string =>
  frame === undefined
    ? parts.map(({ text, times = 1 }) => text.repeat(times)).join('')
    : JSON.stringify(frame);
const CLOSES: Record<string, number> = { 'broken-json': 1007, 'too-deep': 1007, 'too-large': 1009 };
const isHello = ({ frame }: Vector) => frame?.type === 'hello';
/** Nobody can say which message was refused, and receipts must not pass it. */
const isUnnamed = ({ frame }: Vector, rejects: { id?: unknown }[]) =>
  rejects.some(({ id }) => id === null) && (frame?.lane !== undefined || frame?.type === 'batch');
const isReject = ({ frame }: Vector) => frame?.type === 'reject';

const afterWelcome = async (vector: Vector): Promise<FakeLink> => {
  const server = await FakeServer.start();
  const link = await server.open(
    lanes({ results: [1, 99], events: [1, 99], telemetry: [1, 99], history: [1, 99] }),
  );
  link.frame(textOf(vector));
  await server.settle();
  return link;
};

describe('the vectors of the contract', () => {
  it('when they are read, there are good and bad ones of every kind', () => {
    expect(vectors.length).toBeGreaterThan(50);
    expect(new Set(vectors.map(({ code }) => code)).size).toBe(6);
  });

  it.each(vectors.filter((vector) => vector.valid && !isHello(vector)))(
    'when a device sends "$name", it is taken',
    async (vector) => {
      const link = await afterWelcome(vector);
      expect(link.of('reject')).toEqual([]);
      expect(link.closed).toBeUndefined();
      const { type, lane } = JSON.parse(textOf(vector)) as { type: string; lane?: string };
      expect(link.of('receipt')).toHaveLength(lane === undefined ? 0 : 1);
      expect(link.of('heartbeat')).toHaveLength(type === 'heartbeat' ? 1 : 0);
    },
  );

  it.each(vectors.filter((vector) => !vector.valid && !isHello(vector) && !isReject(vector)))(
    'when a device sends "$name", it is refused as $code',
    async (vector) => {
      const link = await afterWelcome(vector);
      const closes = CLOSES[vector.code ?? ''];
      const rejects = link.of('reject');
      expect(link.closed?.code).toBe(closes ?? (isUnnamed(vector, rejects) ? 1007 : undefined));
      expect([...new Set(rejects.map(({ code }) => code))]).toEqual(
        closes === undefined ? [vector.code] : [],
      );
    },
  );

  it.each(vectors.filter((vector) => !vector.valid && isReject(vector)))(
    'when a device sends "$name", that is not answered',
    async (vector) => {
      const link = await afterWelcome(vector);
      expect([link.of('reject'), link.closed]).toEqual([[], undefined]);
    },
  );

  it.each(vectors.filter(isHello))(
    'when a device says "$name", it is welcome only if that is valid and its own id',
    async (vector) => {
      const server = await FakeServer.start();
      const link = server.link();
      link.frame(textOf(vector));
      await server.settle();
      const ofThisDevice = textOf(vector).includes(`"deviceId":"${DEVICE}"`);
      expect(link.of('welcome')).toHaveLength(vector.valid && ofThisDevice ? 1 : 0);
    },
  );
});
