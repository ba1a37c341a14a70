import { describe, expect, test } from 'vitest';
import { count, formatBytes, formatDuration, formatNumber, formatReading, formatStep } from './format.ts';

describe('formatNumber', () => {
  test.each([
    [0, '0'],
    [0.42, '0.42'],
    [7.126, '7.13'],
    [98.64, '98.6'],
    [1204.4, '1,204'],
    [-3.5, '-3.5'],
    [2.5e13, '2.50e+13'],
    [Number.NaN, '–'],
  ])('when it is given %d, it writes %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});

describe('formatBytes', () => {
  test.each([
    [0, '0 B'],
    [1023, '1,023 B'],
    [1536, '1.5 KiB'],
    [3 * 1024 ** 3, '3 GiB'],
    [-2048, '-2 KiB'],
  ])('when it is given %d bytes, it writes %s', (sizeBytes, text) => {
    expect(formatBytes(sizeBytes)).toBe(text);
  });
});

describe('formatReading', () => {
  test.each([
    [0.314, '1', 'system.cpu.utilization', '31.4 %'],
    [0.5, '1', 'some.quality', '0.5'],
    [54, 'Cel', 'hw.temperature:cpu', '54 °C'],
    [2048, 'By', 'system.memory.usage', '2 KiB'],
    [2048, 'By/s', 'system.network.io:eth0:receive', '2 KiB/s'],
    [1.2, '{thread}', 'system.cpu.load_average.1m', '1.2'],
    [12, '{packet}/s', 'x', '12 /s'],
    [7200, 's', 'system.uptime', '2 h'],
    [212, 'kN', 'press.force', '212 kN'],
    [true, undefined, 'door.open', 'true'],
    ['idle', undefined, 'press.state', 'idle'],
  ])('when it is given %s with unit %s of %s, it writes %s', (value, unit, series, text) => {
    expect(formatReading(value, unit, series)).toBe(text);
  });
});

describe('formatDuration', () => {
  test.each([
    [-5, '0 s'],
    [41_900, '41 s'],
    [27 * 60_000 + 8_000, '27 min'],
    [3 * 3_600_000, '3 h'],
    [3 * 3_600_000 + 12 * 60_000, '3 h 12 min'],
    [52 * 3_600_000, '2 d 4 h'],
  ])('when something lasted %d ms, it writes %s', (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });
});

describe('formatStep', () => {
  test.each([
    [3.2, '+3 ms'],
    [999.6, '+1.00 s'],
    [1_420, '+1.42 s'],
    [31_250, '+31.3 s'],
    [27 * 60_000, '+27 min'],
    [-20, '+0 ms'],
  ])('when a step took %d ms, it writes %s', (durationMs, text) => {
    expect(formatStep(durationMs)).toBe(text);
  });
});

test('when things are counted, the noun agrees', () => {
  expect([count(0, 'message'), count(1, 'message'), count(1204, 'message')]).toEqual([
    '0 messages',
    '1 message',
    '1,204 messages',
  ]);
});
