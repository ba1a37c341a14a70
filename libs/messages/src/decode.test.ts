import { ContractError } from '@bowline/runtime/errors';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DOWNLINK, UPLINK, type UplinkType } from './catalogue.ts';
import { checkOutgoing } from './check-outgoing.ts';
import { decodeDownlink } from './decode-downlink.ts';
import { checkUplink, decodeUplinkFrame } from './decode-uplink.ts';

const RUNS = 2_000;
const FRAME_BYTES = 64 * 1024;

/** Whether it returned or threw what the contract allows; anything else escapes and fails the property. */
function survives(decode: () => unknown): boolean {
  try {
    decode();
    return true;
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    return /^(broken-json|too-large|too-deep|invalid|unsupported)$/.test(error.code);
  }
}

const decoders: ((text: string) => unknown)[] = [
  (text) => decodeDownlink(text),
  (text) => decodeUplinkFrame(text, FRAME_BYTES).messages.map(checkUplink),
];
const bothSurvive = (text: string) => decoders.every((decode) => survives(() => decode(text)));

/** Anything that JSON can say, names included that mean something to JavaScript. */
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(null, true, false, 0, -0, 1e308, Number.MAX_SAFE_INTEGER, ''),
    fc.string(),
    fc.double({ noNaN: true }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'length', 'id', 'type')),
      tie('value'),
      {
        maxKeys: 4,
      },
    ),
  ),
})).value;

const types = [...Object.keys(UPLINK), ...Object.keys(DOWNLINK), 'batch', '__proto__', 'toString'];
/** Almost a frame: the more members are right, the deeper the decoder goes. */
const nearlyFrame = fc.record(
  {
    type: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...types) }, { weight: 1, arbitrary: json }),
    id: fc.oneof(fc.uuid({ version: 7 }), json),
    lane: fc.oneof(fc.constantFrom('results', 'events', 'telemetry', 'history', 'orders'), json),
    seq: fc.oneof(fc.integer(), json),
    sentAt: fc.oneof(fc.nat(), json),
    payload: fc.oneof(fc.dictionary(fc.string(), json), json),
    messages: fc.array(json),
  },
  { requiredKeys: ['type'] },
);

test('when any text arrives, decoding returns or throws a ContractError with a known code', () => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), bothSurvive), { numRuns: RUNS });
});

test('when any JSON arrives that looks like a frame, decoding returns or throws a ContractError with a known code', () => {
  fc.assert(
    fc.property(nearlyFrame, (frame) => bothSurvive(JSON.stringify(frame))),
    { numRuns: RUNS },
  );
});

test('when a good frame is cut or a character of it changed, decoding returns or throws a ContractError', () => {
  const good = JSON.stringify({
    type: 'telemetry',
    id: '019a0b3c-5d6e-7f80-9123-456789abcdef',
    lane: 'telemetry',
    seq: 1,
    sentAt: 1,
    payload: { samples: [{ series: 'a', at: 1, value: 1 }] },
  });
  const position = fc.nat(good.length);
  const damage = (at: number, unit: string) => good.slice(0, at) + unit + good.slice(at + 1);
  fc.assert(
    fc.property(
      position,
      fc.string({ maxLength: 2 }),
      (at, unit) => bothSurvive(damage(at, unit)) && bothSurvive(good.slice(0, at)),
    ),
    { numRuns: RUNS },
  );
});

test('when any payload is to be sent, the strict check returns it or throws a ContractError', () => {
  const type = fc.constantFrom(...(Object.keys(UPLINK) as UplinkType[]));
  fc.assert(
    fc.property(type, json, (name, payload) => survives(() => checkOutgoing(name, payload))),
    { numRuns: RUNS },
  );
});

test('when a frame decodes, what it says of itself is what was sent', () => {
  const sent = fc.record({
    kind: fc.stringMatching(/^[a-z]{1,20}$/),
    at: fc.nat(),
    data: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })),
  });
  fc.assert(
    fc.property(sent, fc.integer({ min: 1 }), ({ kind, at, data }, seq) => {
      const payload = { kind, severity: 'info', at, data };
      const frame = {
        type: 'event',
        id: '019a0b3c-5d6e-7f80-9123-456789abcdef',
        lane: 'events',
        seq,
        sentAt: at,
        payload,
      };
      const text = JSON.stringify(frame);
      const [message] = decodeUplinkFrame(text, FRAME_BYTES).messages.map(checkUplink);
      expect(message).toEqual(JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

test('when a payload nests deeper than a batch can carry, it is not to be sent', () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : { x: nested(levels - 1) });
  const event = (levels: number) => ({ kind: 'tested', severity: 'info', at: 1, data: nested(levels) });
  const frame = (payload: object) => {
    const message = { id: '01900000-0000-7000-8000-000000000001', type: 'event', seq: 1, sentAt: 1, payload };
    return JSON.stringify({ type: 'batch', lane: 'events', messages: [message] });
  };
  expect(() => checkOutgoing('event', event(28))).not.toThrow();
  expect(() => decodeUplinkFrame(frame(event(28)), 65_536)).not.toThrow();
  expect(() => checkOutgoing('event', event(29))).toThrow(expect.objectContaining({ code: 'too-deep' }));
  expect(() => decodeUplinkFrame(frame(event(29)), 65_536)).toThrow(
    expect.objectContaining({ code: 'too-deep' }),
  );
});
