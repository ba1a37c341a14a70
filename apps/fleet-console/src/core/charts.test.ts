import type { SeriesSummary } from '@bowline/messages';
import { expect, test } from 'vitest';
import { defaultCharts, singleChart } from './charts.ts';

const series = (name: string, unit = '1', value: number | string = 1): SeriesSummary => ({
  series: name,
  unit,
  last: { at: 1, value },
});
const linesOf = (all: SeriesSummary[]) =>
  Object.fromEntries(defaultCharts(all).map(({ id, lines }) => [id, lines.map((line) => line.series)]));

test('when a device has the usual series, they are drawn in the usual order', () => {
  const charts = defaultCharts([
    series('hw.temperature:cpu', 'Cel'),
    series('system.memory.usage', 'By'),
    series('system.memory.utilization'),
    series('system.cpu.utilization'),
    series('press.force', 'kN'),
  ]);
  expect(charts.map(({ id }) => id)).toEqual(['cpu', 'memory', 'temperature']);
  expect(charts.map(({ ratio }) => ratio)).toEqual([true, true, false]);
});

test('when there is no utilisation of memory, its usage is drawn in bytes', () => {
  const [chart] = defaultCharts([series('system.memory.usage', 'By')]);
  expect(chart).toMatchObject({ id: 'memory', unit: 'By', ratio: false });
});

test('when a metric has attributes, each is a line with its own label, in their natural order', () => {
  const charts = defaultCharts(
    ['15m', '1m', '5m'].map((span) => series(`system.cpu.load_average.${span}`, '{thread}')),
  );
  expect(charts[0]?.lines.map(({ label }) => label)).toEqual(['1m', '5m', '15m']);
});

test('when a counter is drawn, its unit is per second and the loopback is left out', () => {
  const [network] = defaultCharts(
    ['lo:receive', 'lo:transmit', 'eth0:receive', 'eth0:transmit'].map((rest) =>
      series(`system.network.io:${rest}`, 'By'),
    ),
  );
  expect(network?.unit).toBe('By/s');
  expect(network?.lines.map(({ label, counter }) => [label, counter])).toEqual([
    ['eth0:receive', true],
    ['eth0:transmit', true],
  ]);
});

test.each([
  ['system.network.packet.dropped:eth0:receive', true],
  ['system.network.errors:eth0:transmit', true],
  ['system.disk.io_time:vda', true],
  ['system.paging.operations:in', true],
  ['system.paging.usage', false],
  ['system.filesystem.usage:/', false],
])('when %s is chosen, it is a counter: %s', (name, counter) => {
  const chart = singleChart(series(name, 'x'));
  expect([chart.lines[0]?.counter, chart.unit]).toEqual([counter, counter ? 'x/s' : 'x']);
});

test('when another metric only starts with the same letters, it is not drawn with it', () => {
  expect(linesOf([series('system.cpu.utilization_limit')])).toEqual({});
});

test('when values are text, they are not drawn', () => {
  expect(linesOf([series('system.cpu.utilization', '1', 'n/a')])).toEqual({});
});

test('when there are more lines than can be told apart, the first four are drawn', () => {
  const many = Array.from({ length: 9 }, (_, index) => series(`hw.temperature:core${index}`, 'Cel'));
  expect(linesOf(many)['temperature']).toHaveLength(4);
});

test('when one series is chosen, it has a chart of its own with its unit', () => {
  expect(singleChart(series('press.force', 'kN'))).toMatchObject({
    id: 'series:press.force',
    unit: 'kN',
    lines: [{ series: 'press.force', counter: false }],
  });
});
