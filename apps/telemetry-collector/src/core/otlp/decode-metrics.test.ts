import { ContractError } from '@bowline/runtime/errors';
import { checkOutgoing } from '@bowline/messages/outgoing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeMetrics } from './decode-metrics.ts';

const NANOS = '1750000000123456789';
const request = (metrics: object[], resource: object[] = []) =>
  JSON.stringify({
    resourceMetrics: [{ resource: { attributes: resource }, scopeMetrics: [{ scope: {}, metrics }] }],
  });
const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
const decode = (body: string) => decodeMetrics(body, 1000);

describe('decodeMetrics', () => {
  test('when a gauge has attributes, they tell its series apart, sorted, and its time is its own', () => {
    const gauge = {
      dataPoints: [
        { attributes: [text('room', 'kitchen'), text('floor', '1')], timeUnixNano: NANOS, asDouble: 21.5 },
      ],
    };
    const { samples } = decode(request([{ name: 'temperature', unit: 'Cel', gauge }]));
    expect(samples).toEqual([
      { series: 'temperature:floor:1:room:kitchen', value: 21.5, at: 1_750_000_000_123, unit: 'Cel' },
    ]);
  });

  test('when the resource says who it is, that is part of the series; a default name is not', () => {
    const metric = { name: 'a', sum: { dataPoints: [{ asInt: '7' }] } };
    const seriesOf = (name: string) =>
      decode(request([metric], [text('service.name', name), text('host.name', 'x')])).samples[0]?.series;
    expect(seriesOf('shop')).toBe('a:service.name:shop');
    expect(seriesOf('unknown_service:node')).toBe('a');
  });

  test('when it is a sum, 64-bit numbers are read as texts, too', () => {
    const sum = { dataPoints: [{ asInt: '9007199254740991' }, { asInt: 5 }], isMonotonic: true };
    expect(decode(request([{ name: 'a', sum }])).samples.map(({ value }) => value)).toEqual([
      9_007_199_254_740_991, 5,
    ]);
  });

  test('when it is a histogram, count, sum, bounds and each bucket are series', () => {
    const point = {
      count: '6',
      sum: 40,
      min: 1,
      max: 20,
      explicitBounds: [5, 10],
      bucketCounts: ['1', '2', '3'],
    };
    const { samples, rejected } = decode(
      request([{ name: 'd', unit: 'ms', histogram: { dataPoints: [point] } }]),
    );
    expect(rejected).toBe(0);
    expect(samples).toEqual([
      { series: 'd:count', value: 6 },
      { series: 'd:sum', value: 40, unit: 'ms' },
      { series: 'd:min', value: 1, unit: 'ms' },
      { series: 'd:max', value: 20, unit: 'ms' },
      { series: 'd:le:5', value: 1 },
      { series: 'd:le:10', value: 3 },
    ]);
  });

  test('when it is a summary, its quantiles are series', () => {
    const point = { count: 2, sum: 3, quantileValues: [{ quantile: 0.5, value: 1.5 }] };
    const { samples } = decode(request([{ name: 's', summary: { dataPoints: [point] } }]));
    expect(samples.at(-1)).toEqual({ series: 's:quantile:0.5', value: 1.5 });
  });

  test('when some points cannot be taken, they are counted, and the others are taken', () => {
    // Milliseconds for nanoseconds.
    const early = { asDouble: 1, timeUnixNano: '1790000000000' };
    const gauge = { dataPoints: [{ asDouble: 'NaN' }, {}, { asDouble: 1 }, { flags: 1 }, early] };
    const broken = { dataPoints: [{ count: 1, explicitBounds: [1], bucketCounts: ['1'] }] };
    const { samples, rejected, why } = decode(
      request([
        { name: 'a', gauge },
        { name: 'h', histogram: broken },
        { gauge: { dataPoints: [{ asInt: 1 }] } },
      ]),
    );
    expect([samples.length, rejected, why]).toEqual([
      1,
      5,
      'a data point of a has no value to take, or no time',
    ]);
  });

  test.each([
    ['{', 'broken-json'],
    ['{"resourceSpans":[]}', 'invalid'],
  ])('when the body is %s, it is refused', (body, code) => {
    expect(() => decode(body)).toThrow(expect.objectContaining({ code }) as Error);
  });

  test('when there are too many samples, nothing is taken', () => {
    const gauge = { dataPoints: Array.from({ length: 11 }, (_, asInt) => ({ asInt })) };
    expect(() => decodeMetrics(request([{ name: 'a', gauge }]), 10)).toThrow('more than 10 samples');
  });

  test('when anything at all comes, it is a ContractError or fits the wire', () => {
    const point = fc.record(
      {
        asDouble: fc.anything(),
        asInt: fc.anything(),
        timeUnixNano: fc.anything(),
        attributes: fc.anything(),
        count: fc.anything(),
      },
      { requiredKeys: [] },
    );
    const metric = fc.record(
      {
        name: fc.string(),
        unit: fc.string(),
        gauge: fc.record({ dataPoints: fc.array(point) }),
        histogram: fc.record({ dataPoints: fc.array(point) }),
      },
      { requiredKeys: ['name'] },
    );
    const body = fc.oneof(
      fc.json(),
      fc.array(metric).map((metrics) => request(metrics)),
    );
    fc.assert(
      fc.property(body, (given) => {
        try {
          const samples = decode(given).samples.map((sample) => ({ at: 1, ...sample }));
          if (samples.length > 0) checkOutgoing('telemetry', { samples });
        } catch (error) {
          if (!(error instanceof ContractError) || error.message.startsWith('payload')) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});
