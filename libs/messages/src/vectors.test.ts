import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ContractError } from '@bowline/runtime/errors';
import { describe, expect, test } from 'vitest';
import { DOWNLINK, UPLINK, type UplinkType } from './catalogue.ts';
import { checkOutgoing } from './check-outgoing.ts';
import { FrameError } from './decode.ts';
import { decodeDownlink } from './decode-downlink.ts';
import { checkUplink, decodeUplinkFrame } from './decode-uplink.ts';

/** See vectors/README.md. */
interface Vector {
  name: string;
  direction: 'uplink' | 'downlink';
  frame?: unknown;
  parts?: { text: string; times?: number }[];
  valid: boolean;
  code?: string;
  outgoing?: false;
  why: string;
}

const UPLINK_FRAME_BYTES = 64 * 1024;

function readVectors(direction: Vector['direction']): Vector[] {
  return JSON.parse(
    readFileSync(join(import.meta.dirname, `../vectors/${direction}.json`), 'utf8'),
  ) as Vector[];
}

const textOf = ({ frame, parts }: Vector) =>
  parts === undefined
    ? JSON.stringify(frame)
    : parts.map(({ text, times = 1 }) => text.repeat(times)).join('');

/** Decodes a whole frame, as its receiver does. */
function decode(vector: Vector): { type: string; payload: unknown }[] {
  const text = textOf(vector);
  if (vector.direction === 'downlink') return [decodeDownlink(text)];
  return decodeUplinkFrame(text, UPLINK_FRAME_BYTES).messages.map(checkUplink);
}

function refusalOf(vector: Vector): unknown {
  try {
    decode(vector);
    return undefined;
  } catch (error) {
    return error;
  }
}

describe.each([
  ['uplink', UPLINK],
  ['downlink', DOWNLINK],
] as const)('%s vectors', (direction, catalogue) => {
  const vectors = readVectors(direction);

  test('when the corpus is read, its names are unique and its members are those of the README', () => {
    expect(new Set(vectors.map(({ name }) => name)).size).toBe(vectors.length);
    for (const vector of vectors) {
      const { name, valid, code, frame, parts } = vector;
      expect(vector, name).toMatchObject({
        direction,
        valid: expect.any(Boolean),
        why: expect.stringMatching(/./),
      });
      expect(code === undefined, `${name}: a code if and only if it is invalid`).toBe(valid);
      expect((frame === undefined) !== (parts === undefined), `${name}: either frame or parts`).toBe(true);
    }
  });

  test('when the corpus is read, every type of the catalogue has good and bad frames', () => {
    for (const type of Object.keys(catalogue)) {
      const ofType = vectors.filter(({ name }) => name.startsWith(`${type}:`));
      expect(ofType.filter(({ valid }) => valid).length, `good ${type}`).toBeGreaterThan(0);
      expect(ofType.filter(({ valid }) => !valid).length, `bad ${type}`).toBeGreaterThan(0);
    }
  });

  test.each(vectors.filter(({ valid }) => valid))('when it is good ($name), it decodes', (vector) => {
    const messages = decode(vector);
    expect(messages.length).toBeGreaterThan(0);
    for (const { type } of messages) expect(Object.keys(catalogue)).toContain(type);
  });

  test.each(vectors.filter(({ valid }) => !valid))(
    'when it is bad ($name), it is refused as $code',
    (vector) => {
      const error = refusalOf(vector);
      expect(error).toBeInstanceOf(ContractError);
      expect(error).toMatchObject({ code: vector.code, message: expect.stringMatching(/./) });
    },
  );

  test('when an envelope is good and its payload is not, the refusal names the message', () => {
    const seqs = vectors
      .filter(({ valid, name }) => !valid && /^(event|historyRequest): .* is missing$/.test(name))
      .map((vector) => {
        const error = refusalOf(vector);
        expect(error).toBeInstanceOf(FrameError);
        const { id, seq } = vector.frame as { id: string; seq: number };
        expect(error).toMatchObject({ frame: { id, seq } });
        return seq;
      });
    expect(seqs.length).toBeGreaterThan(0);
  });
});

describe('what a device sends', () => {
  const vectors = readVectors('uplink').filter(({ valid, parts }) => valid && parts === undefined);

  test.each(vectors.filter(({ outgoing }) => outgoing !== false))(
    'when it has known members only ($name), the strict check lets it out',
    (vector) => {
      for (const { type, payload } of decode(vector))
        expect(checkOutgoing(type as UplinkType, payload)).toBe(payload);
    },
  );

  test.each(vectors.filter(({ outgoing }) => outgoing === false))(
    'when it has unknown members ($name), the strict check refuses it though it decodes',
    (vector) => {
      for (const { type, payload } of decode(vector)) {
        expect(() => checkOutgoing(type as UplinkType, payload)).toThrow(ContractError);
      }
    },
  );

  test('when a payload is bad, the strict check refuses it too', () => {
    const bad = readVectors('uplink').filter(
      ({ name, valid }) => !valid && !/^(envelope|frame|batch):/.test(name),
    );
    expect(bad.length).toBeGreaterThan(50);
    for (const { name, frame } of bad) {
      const { type, payload } = frame as { type: UplinkType; payload: unknown };
      expect(() => checkOutgoing(type, payload), name).toThrow(ContractError);
    }
  });
});
