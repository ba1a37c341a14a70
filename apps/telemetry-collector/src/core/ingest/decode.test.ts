import { checkOutgoing } from '@bowline/messages/outgoing';
import { ContractError } from '@bowline/runtime/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeEvent, decodeKey } from './decode-event.ts';
import { decodeSamples, formatOf } from './decode-samples.ts';
import { stamp } from './stamp.ts';

const one = { series: 'temperature', value: 21.5 };
const now = {
  at: 1_750_000_000_000,
  monoMs: 60_000,
  bootId: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
  quality: 'good' as const,
};

function refusalOf(work: () => unknown): ContractError {
  try {
    work();
  } catch (error) {
    if (error instanceof ContractError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('decodeSamples', () => {
  test.each([
    ['one', JSON.stringify(one)],
    ['a list', JSON.stringify([one])],
    ['samples', JSON.stringify({ samples: [one] })],
  ])('when the body is %s, it is read', (_, body) => {
    expect(decodeSamples(body, 'json', 10)).toEqual([one]);
  });

  test('when the body is NDJSON, each line is a sample, and empty ones are none', () => {
    const body = `${JSON.stringify(one)}\r\n\n${JSON.stringify({ ...one, at: 1_750_000_000_000 })}\n`;
    expect(decodeSamples(body, 'ndjson', 10)).toEqual([one, { ...one, at: 1_750_000_000_000 }]);
  });

  test.each<[string, unknown, RegExp]>([
    ['no series', { value: 1 }, /"series" is missing/],
    ['a name with blanks', { series: 'my sensor', value: 1 }, /"series" must begin with a letter/],
    ['a value of null', { series: 'a', value: null }, /"value" must be number,string,boolean/],
    ['a misspelt member', { ...one, units: 'Cel' }, /unknown member "units"/],
    ['seconds', { ...one, at: 1_750_000_000 }, /looks like seconds/],
    ['microseconds', { ...one, at: 1_750_000_000_000_000 }, /looks like microseconds/],
    ['no object', 5, /must be an object such as/],
    ['an unknown quality', { ...one, quality: 'fine' }, /one of good,unsynchronised,estimated/],
  ])('when a sample has %s, it says so, and which one, and nothing is taken', (_, bad, message) => {
    const error = refusalOf(() => decodeSamples(JSON.stringify([one, bad, bad]), 'json', 10));
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^\[1\]: .* \(and 1 more\); nothing was taken$/);
    expect(error.details['faults']).toHaveLength(2);
  });

  test('when what is wrong nests deeper than there is stack, it is refused like anything else', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(refusalOf(() => decodeSamples(`{"series":"a","value":${deep}}`, 'json', 1)).code).toBe('invalid');
    expect(refusalOf(() => decodeEvent(`{"kind":${deep}}`)).code).toBe('invalid');
  });

  test('when a number is too large to be one, that is what is said', () => {
    for (const name of ['value', 'min', 'max']) {
      const body = JSON.stringify({ ...one, [name]: 7 }).replace(':7', ':-1e400');
      expect(refusalOf(() => decodeSamples(body, 'json', 1)).message).toMatch(
        new RegExp(`^"${name}" is a larger number than can be kept .*; nothing was taken$`),
      );
    }
  });

  test('when a line is broken, it says which', () => {
    const error = refusalOf(() => decodeSamples(`${JSON.stringify(one)}\n{`, 'ndjson', 10));
    expect([error.code, error.message]).toEqual([
      'broken-json',
      expect.stringMatching(/^line 2 is not JSON/),
    ]);
  });

  test('when there are too many, or none, it is refused', () => {
    expect(refusalOf(() => decodeSamples('[]', 'json', 1)).code).toBe('invalid');
    expect(refusalOf(() => decodeSamples(JSON.stringify([one, one]), 'json', 1)).code).toBe(
      'too-many-samples',
    );
    expect(refusalOf(() => decodeSamples('{}\n{}', 'ndjson', 1)).code).toBe('too-many-samples');
  });

  test('when any JSON comes, what is taken fits the wire, and all else is a ContractError', () => {
    const sample = fc.record(
      {
        series: fc.oneof(fc.string(), fc.constant('a.b')),
        value: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string(), fc.boolean()),
        at: fc.oneof(fc.integer(), fc.constant(1_750_000_000_000)),
        unit: fc.string(),
        more: fc.anything(),
      },
      { requiredKeys: ['series'] },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.array(sample).map((each) => JSON.stringify(each)),
        ),
        (body) => {
          let samples;
          try {
            samples = decodeSamples(body, 'json', 100);
          } catch (error) {
            if (!(error instanceof ContractError)) throw error;
            return;
          }
          checkOutgoing('telemetry', {
            samples: samples.map((each) => stamp({ ...each, at: each.at ?? now.at }, now)),
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  test('when a content type is given, it is known with its parameters, or not at all', () => {
    expect(formatOf('Application/JSON; charset=utf-8')).toBe('json');
    expect(formatOf('application/x-ndjson')).toBe('ndjson');
    expect(formatOf('text/plain')).toBeUndefined();
    expect(formatOf(undefined)).toBeUndefined();
  });
});

describe('stamp', () => {
  test('when a sample has no moment, it is of now', () => {
    expect(stamp({ ...one, at: now.at }, now)).toEqual({ ...one, at: now.at, quality: 'good' });
  });

  test('when the clock is not right, a moment of this boot gets its monotonic time, an older one none', () => {
    const wrong = { ...now, quality: 'unsynchronised' as const };
    expect(stamp({ ...one, at: now.at - 10_000 }, wrong)).toEqual({
      ...one,
      at: now.at - 10_000,
      quality: 'unsynchronised',
      bootId: now.bootId,
      monoMs: 50_000,
    });
    expect(stamp({ ...one, at: now.at - 70_000 }, wrong)).not.toHaveProperty('monoMs');
  });
});

describe('decodeEvent', () => {
  test('when only a kind is given, the rest has defaults', () => {
    expect(decodeEvent('{"kind":"door.opened"}')).toEqual({
      kind: 'door.opened',
      severity: 'info',
      data: {},
    });
  });

  test.each<[string, string, string]>([
    ['it is no JSON', '{', 'broken-json'],
    ['the severity is unknown', '{"kind":"a","severity":"bad"}', 'invalid'],
    ['a member is misspelt', '{"kind":"a","date":{}}', 'invalid'],
    ['it nests too deep', `{"kind":"a","data":{"a":${'['.repeat(40)}${']'.repeat(40)}}}`, 'too-deep'],
  ])('when %s, it is refused', (_, body, code) => {
    expect(refusalOf(() => decodeEvent(body)).code).toBe(code);
  });

  test.each(['1e400', '-1e400'])(
    'when %s stands in it, which no JSON can give back, it is told where',
    (number) => {
      const body = `{"kind":"a","data":{"ok":1.7e308,"list":[{"x":0},{"x":${number}}]}}`;
      const { code, message } = refusalOf(() => decodeEvent(body));
      expect([code, message]).toEqual([
        'invalid',
        expect.stringMatching(
          /^the event: "data\.list\.1\.x" is a larger number than can be kept .*: send it as a text$/,
        ),
      ]);
    },
  );

  test('when a key is odd, it is refused', () => {
    expect(decodeKey('abc-1')).toBe('abc-1');
    expect(decodeKey(undefined)).toBeUndefined();
    for (const odd of ['', 'two words', 'x'.repeat(129), ['a', 'b']])
      expect(() => decodeKey(odd)).toThrow(ContractError);
  });
});
