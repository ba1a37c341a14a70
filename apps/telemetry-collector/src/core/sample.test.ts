import { checkOutgoing } from '@bowline/messages/outgoing';
import { describe, expect, test } from 'vitest';
import { toSample, type Moment } from './sample.ts';
import { seriesName } from './series-name.ts';

const moment: Moment = {
  at: 1_750_000_000_000.4,
  monoMs: 1234.5,
  bootId: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
  quality: 'good',
};
const reading = { metric: 'system.filesystem.usage', attributes: ['/'], value: 5, unit: 'By' };

describe('toSample', () => {
  test('when attributes tell series apart, their values follow the name', () => {
    expect(seriesName(reading.metric, reading.attributes)).toBe('system.filesystem.usage:/');
    expect(seriesName('system.network.io', ['eth0', 'receive'])).toBe('system.network.io:eth0:receive');
  });

  test('when names are too long, they are cut and stay different', () => {
    const long = (end: string) => seriesName('metric', ['x'.repeat(200) + end]);
    expect(long('a')).toHaveLength(128);
    expect(long('a')).not.toBe(long('b'));
  });

  test.each(['/mnt/my disk', '/mnt/größe', '/' + 'x'.repeat(500), 'Package id 0'])(
    'when an attribute is %j, the sample fits the contract all the same',
    (attribute) => {
      const sample = toSample({ ...reading, attributes: [attribute] }, moment);
      expect(() => checkOutgoing('telemetry', { samples: [sample] })).not.toThrow();
    },
  );

  test('when the clock is trusted, the sample is good and carries its moment alone', () => {
    expect(toSample(reading, moment)).toEqual({
      series: 'system.filesystem.usage:/',
      at: 1_750_000_000_000,
      value: 5,
      unit: 'By',
      quality: 'good',
    });
  });

  test('when the clock is not trusted, boot id and monotonic time come along to correct it later', () => {
    const sample = toSample(reading, { ...moment, quality: 'unsynchronised' });
    expect(sample).toMatchObject({ quality: 'unsynchronised', bootId: moment.bootId, monoMs: 1235 });
    expect(() => checkOutgoing('telemetry', { samples: [sample] })).not.toThrow();
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('when a value is %s, there is no sample', (value) => {
    expect(toSample({ ...reading, value }, moment)).toBe(undefined);
  });
});
