import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { Snapshot } from '../adapters/telemetry-store.ts';
import { alignLines, endsBefore, findGaps, summarise, toRates } from '../core/chart-data.ts';
import type { Chart } from '../core/charts.ts';
import { formatDuration, formatReading } from '../core/format.ts';
import type { Point } from '../core/series-buffer.ts';
import { thin, type Bucket } from '../core/thin.ts';
import type { Stretch } from '../core/time-window.ts';
import { plotOptions, type Band } from './plot-options.ts';
import { Moment } from './moment.tsx';
import { usePage } from './page-context.ts';

/** Samples come in batches, at rest twice a minute; older than this, the newest is old, milliseconds. */
const STALE_AFTER_MS = 75_000;

export interface TimeChartProps {
  chart: Chart;
  pointsOf: (series: string) => readonly Point[];
  snapshot: Snapshot;
  /** Changes with each change of the points. */
  version: number;
  stretch: Stretch;
  /** Changes with the colour scheme, so that the canvas takes its colours anew. */
  scheme: string;
  onRemove?: (() => void) | undefined;
}

export function TimeChart({ chart, pointsOf, snapshot, version, stretch, scheme, onRemove }: TimeChartProps) {
  const { now, zone } = usePage();
  const { from, to } = stretch;
  const lines = useMemo(
    () =>
      chart.lines.map(({ series, counter }) => {
        const points = pointsOf(series);
        return counter ? toRates(points) : points;
      }),
    [chart, pointsOf, version],
  );
  const drawn = useMemo(
    () => lines.map((points) => ({ points: thin(points, from, to), gaps: findGaps(points) })),
    [lines, from, to],
  );
  const columns = useMemo(() => alignLines(drawn, from, to), [drawn]);
  const bands = useMemo(() => missingBands(lines, from, to), [lines, from, to]);
  const words = useMemo(() => inWords(chart, lines, from, to), [chart, lines, from, to]);
  const format = formatOf(chart);

  const newest = lines
    .map((points) => points.at(-1))
    .reduce((a, b) => ((b?.at ?? 0) > (a?.at ?? 0) ? b : a), undefined);
  const [cursor, setCursor] = useState<number | undefined>();
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const latest = useRef({ from, to, bands });
  latest.current = { from, to, bands };

  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const size = () => ({ width: element.clientWidth, height: element.clientHeight });
    const options = plotOptions({
      chart,
      format,
      zone,
      element,
      view: () => latest.current,
      onCursor: setCursor,
    });
    const made = new uPlot({ ...options, ...size() }, columns as uPlot.AlignedData, element);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize(size()));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [chart, zone, scheme]);
  useEffect(() => plot.current?.setData(columns as uPlot.AlignedData), [columns]);

  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title" title={chart.lines.map(({ series }) => series).join('\n')}>
          {chart.title}
        </span>
        {isStale(newest, now) && cursor === undefined && (
          <span class="stale">
            <Moment at={newest.at} />
          </span>
        )}
        <span class="chart-legend">
          {chart.lines.map(({ series, label }, index) => (
            <LegendEntry
              key={series}
              index={index}
              label={chart.lines.length === 1 ? undefined : label}
              last={lines[index]?.at(-1)}
              points={drawn[index]?.points ?? []}
              cursor={cursor === undefined ? undefined : columns[0][cursor]}
              format={format}
            />
          ))}
        </span>
        {onRemove !== undefined && (
          <button
            type="button"
            class="plain"
            onClick={onRemove}
            aria-label={`Remove the chart of ${chart.title}`}
          >
            ×
          </button>
        )}
      </figcaption>
      <div class="chart-place" role="img" aria-label={words} ref={place} />
      {lines.every((points) => !points.some(({ at }) => at >= from)) && (
        <p class="chart-empty">
          {snapshot === 'loaded' ? `No samples in these ${formatDuration(to - from)}` : WAITING[snapshot]}
        </p>
      )}
    </figure>
  );
}

const formatOf =
  ({ ratio, unit }: Chart) =>
  (value: number): string =>
    ratio ? formatReading(value, '1', '.utilization') : formatReading(value, unit);

const WAITING = { loading: 'Loading…', failed: 'Could not be loaded' } as const;

const isStale = (last: Point | undefined, now: number): last is Point =>
  last !== undefined && now - last.at > STALE_AFTER_MS;

interface LegendEntryProps {
  index: number;
  label: string | undefined;
  last: Point | undefined;
  /** As they are drawn. */
  points: readonly Bucket[];
  /** Seconds, as on the axis; absent while nobody points at the chart. */
  cursor: number | undefined;
  format: (value: number) => string;
}

function LegendEntry({ index, label, last, points, cursor, format }: LegendEntryProps) {
  const { now } = usePage();
  const pointed = cursor === undefined ? undefined : points.find(({ at }) => at / 1000 === cursor);
  return (
    <span class="legend-entry">
      <span class={`swatch swatch-${index}`} aria-hidden="true" />
      {label !== undefined && <span class="quiet">{label}</span>}
      {cursor !== undefined ? (
        <>
          <b>{pointed === undefined ? '–' : format(pointed.value)}</b>
          {pointed !== undefined && pointed.least < pointed.most && (
            <span class="quiet">
              {format(pointed.least)} to {format(pointed.most)}
            </span>
          )}
        </>
      ) : last === undefined ? (
        <b class="quiet">–</b>
      ) : (
        <b class={isStale(last, now) ? 'stale' : ''}>{format(last.value)}</b>
      )}
    </span>
  );
}

/** Where no line has samples: gaps, and the time since the last one. */
function missingBands(lines: readonly (readonly Point[])[], from: number, to: number): Band[] {
  const longest = lines.reduce<readonly Point[]>((a, b) => (b.length > a.length ? b : a), []);
  const last = longest.at(-1);
  const bands = findGaps(longest).filter((gap) => gap.to > from && gap.from < to);
  if (last !== undefined && endsBefore(longest, to, STALE_AFTER_MS))
    bands.push({ from: Math.max(last.at, from), to });
  return bands;
}

function inWords(chart: Chart, lines: readonly (readonly Point[])[], from: number, to: number): string {
  const format = formatOf(chart);
  const sentences = chart.lines.map(({ label }, index) => {
    const points = lines[index] ?? [];
    const summary = summarise(points, from, to);
    const last = points.at(-1);
    if (summary === undefined || last === undefined) return `${label}: no samples`;
    const gaps = summary.gaps === 0 ? '' : `, ${summary.gaps} gap${summary.gaps === 1 ? '' : 's'}`;
    return `${label}: last ${format(last.value)}, between ${format(summary.least)} and ${format(summary.most)}${gaps}`;
  });
  return `${chart.title}, over ${formatDuration(to - from)}. ${sentences.join('. ')}`;
}
