import uPlot from 'uplot';
import type { Chart } from '../core/charts.ts';
import { formatDay, formatTime, type Zone } from '../core/time.ts';

/** A stretch of time without samples, epoch milliseconds. */
export interface Band {
  from: number;
  to: number;
}

export interface PlotContext {
  chart: Chart;
  format: (value: number) => string;
  zone: Zone;
  /** Whose style sheet gives the colours. */
  element: Element;
  /** What is to be seen at this moment, epoch milliseconds. */
  view: () => { from: number; to: number; bands: readonly Band[] };
  onCursor: (index: number | undefined) => void;
}

const INVISIBLE: uPlot.Series = { width: 0, stroke: 'transparent', points: { show: false } };

/** All charts of the page show one moment when one of them is pointed at. */
const CURSOR_KEY = 'page';

export function plotOptions(context: PlotContext): Omit<uPlot.Options, 'width' | 'height'> {
  const { chart, format, zone, element, view, onCursor } = context;
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const font = `11px ${style.fontFamily}`;
  const axis = {
    font,
    stroke: colour('ink-quiet'),
    grid: { stroke: colour('line-soft'), width: 1 },
    ticks: { show: false },
  };
  return {
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    legend: { show: false },
    padding: [6, 18, 0, 0],
    cursor: {
      sync: { key: CURSOR_KEY },
      drag: { x: false, y: false },
      y: false,
      points: { size: (_, series) => (series > chart.lines.length ? 0 : 6) },
    },
    scales: {
      x: { time: true, range: () => [view().from / 1000, view().to / 1000] },
      y: { range: (_, least, most) => rangeOf(chart, least, most) },
    },
    axes: [
      {
        ...axis,
        size: 22,
        space: (_, __, ___, ____, length) => (length > 300 ? 90 : 48),
        values: (_, splits, __, ___, incrementSeconds) =>
          splits.map((seconds) => tickLabel(seconds * 1000, incrementSeconds, zone)),
      },
      {
        ...axis,
        size: 58,
        space: 19,
        ...(isBytes(chart) && { incrs: BINARY_STEPS }),
        values: (_, splits) => splits.map(format),
      },
    ],
    series: [
      {},
      ...chart.lines.map((line, index) => ({
        label: line.label,
        stroke: colour(`line-${index}`),
        width: 1.5,
        // A sample alone between two gaps has no line; it gets a point, or it would not be seen.
        points: { show: true, size: 4, fill: colour(`line-${index}`), filter: loneSamples },
      })),
      // The least and the most of each line have no line of their own: the room between them is filled.
      ...chart.lines.flatMap(() => [INVISIBLE, INVISIBLE]),
    ],
    bands: chart.lines.map((_, index) => {
      const least = 1 + chart.lines.length + 2 * index;
      return { series: [least + 1, least], fill: `${colour(`line-${index}`)}38` };
    }),
    hooks: {
      drawClear: [(plot) => drawBands(plot, view().bands, colour('band'))],
      setCursor: [
        ({ cursor: { idx, left = -1 } }) => onCursor(typeof idx !== 'number' || left < 0 ? undefined : idx),
      ],
    },
  };
}

/** Bytes are read in binary prefixes, so their axis goes in powers of two. */
const BINARY_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);
const isBytes = ({ unit }: Chart): boolean => unit === 'By' || unit === 'By/s';

/** From zero where nothing is below, so that a small wobble does not look like a storm; shares run to one. */
function rangeOf(chart: Chart, least: number | null, most: number | null): [number, number] {
  if (chart.ratio) return [0, 1];
  if (least === null || most === null) return [0, isBytes(chart) ? 1024 : 1];
  if (chart.unit === 'Cel') {
    // Zero is no zero on this scale.
    const [low, high] = uPlot.rangeNum(least - 1, most + 1, 0.15, true);
    return [low ?? least, high ?? most];
  }
  const [low, high] = uPlot.rangeNum(Math.min(0, least), Math.max(most, least, 0.001), 0.1, true);
  return [least >= 0 ? 0 : (low ?? least), high ?? most];
}

function tickLabel(at: number, incrementSeconds: number, zone: Zone): string {
  if (incrementSeconds >= 86_400) return formatDay(at, zone).slice(5);
  const time = formatTime(at, zone);
  return incrementSeconds < 60 ? time : time.slice(0, 5);
}

function loneSamples(plot: uPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  // Places where only another line was sampled do not part neighbours.
  const own = [...values.keys()].filter((index) => values[index] !== undefined);
  return own.filter((index, place) => {
    const before = own[place - 1];
    const after = own[place + 1];
    const apart = (other: number | undefined): boolean => other === undefined || values[other] === null;
    return values[index] !== null && apart(before) && apart(after);
  });
}

function drawBands(plot: uPlot, bands: readonly Band[], fill: string): void {
  const { left, top, width, height } = plot.bbox;
  plot.ctx.save();
  plot.ctx.fillStyle = fill;
  for (const band of bands) {
    const start = Math.max(left, plot.valToPos(band.from / 1000, 'x', true));
    const end = Math.min(left + width, plot.valToPos(band.to / 1000, 'x', true));
    if (end > start) plot.ctx.fillRect(start, top, end - start, height);
  }
  plot.ctx.restore();
}
