import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import type { SeriesSummary } from '@bowline/messages';
import type { Snapshot } from '../adapters/telemetry-store.ts';
import { defaultCharts, singleChart } from '../core/charts.ts';
import { formatReading } from '../core/format.ts';
import { fromFirstSample, stretchOf, usualWindow, WINDOWS } from '../core/time-window.ts';
import { Ago, Moment } from './moment.tsx';
import { usePage } from './page-context.ts';
import { TimeChart } from './time-chart.tsx';

export interface ChartGridProps {
  series: readonly SeriesSummary[] | undefined;
  /** That are not in `series`. */
  further: number;
  scheme: string;
}

/** What the device measures: the usual charts, those that were added, and the list of all series. */
export function ChartGrid({ series, further, scheme }: ChartGridProps) {
  const { fleet, now } = usePage();
  const [wanted, setWanted] = useState<number | undefined>();
  const [added, setAdded] = useState<readonly string[]>([]);
  // The charts change with the names of the series, not with each new value.
  const names = (series ?? []).map(({ series: name, unit }) => `${name} ${unit ?? ''}`).join('\n');
  const charts = useMemo(() => {
    const usual = defaultCharts(series ?? []);
    const extra = added.flatMap((name) => series?.find((entry) => entry.series === name) ?? []);
    return [...usual, ...extra.map(singleChart)];
  }, [names, added]);
  const drawn = charts.flatMap(({ lines }) => lines.map((line) => line.series));
  const store = fleet.telemetry;
  const newestAt = newestOf(series, drawn);
  const windowMs = wanted ?? usualWindow(newestAt, now);
  const stretch = stretchOf(windowMs, newestAt, now);
  useEffect(() => {
    void fleet.showSeries(drawn, stretch.from);
  }, [fleet, store, drawn.join('\n'), windowMs, stretch.past]);
  const firstAt = Math.min(...drawn.flatMap((name) => store?.points(name)[0]?.at ?? []));
  const shown = wanted === undefined ? fromFirstSample(stretch, firstAt) : stretch;
  const pointsOf = useCallback((name: string) => store?.points(name) ?? [], [store]);

  return (
    <section class="panel charts" aria-labelledby="charts-title">
      <div class="panel-head">
        <h2 id="charts-title">Measurements</h2>
        <div class="segments" role="group" aria-label="Window of time">
          {WINDOWS.map(({ label, ms }) => (
            <button key={label} type="button" aria-pressed={ms === windowMs} onClick={() => setWanted(ms)}>
              {label}
            </button>
          ))}
        </div>
      </div>
      {series === undefined && <p class="empty">Loading…</p>}
      {series?.length === 0 && (
        <p class="empty">
          No samples have come from this device yet. On the device,{' '}
          <code>npx bowline logs telemetry-collector</code> says why.
        </p>
      )}
      {stretch.past && newestAt !== undefined && (
        <p class="past-notice">
          These charts end at the last sample, <Moment at={newestAt} />.
        </p>
      )}
      <div class="chart-grid">
        {charts.map((chart) => (
          <TimeChart
            key={chart.id}
            chart={chart}
            pointsOf={pointsOf}
            snapshot={worst(chart.lines.map((line) => store?.snapshotOf(line.series) ?? 'loading'))}
            version={store?.version ?? 0}
            stretch={shown}
            scheme={scheme}
            onRemove={
              chart.id.startsWith('series:')
                ? () => setAdded(added.filter((name) => name !== chart.title))
                : undefined
            }
          />
        ))}
      </div>
      {series !== undefined && series.length > 0 && (
        <SeriesList
          series={series}
          further={further}
          drawn={drawn}
          onAdd={(name) => setAdded([...added.filter((other) => other !== name), name])}
        />
      )}
    </section>
  );
}

const worst = (snapshots: readonly Snapshot[]): Snapshot =>
  snapshots.find((snapshot) => snapshot === 'failed') ??
  snapshots.find((snapshot) => snapshot === 'loading') ??
  'loaded';

/** When the newest of the drawn samples was taken. */
function newestOf(
  series: readonly SeriesSummary[] | undefined,
  drawn: readonly string[],
): number | undefined {
  const moments = (series ?? []).flatMap(({ series: name, last }) =>
    last && drawn.includes(name) ? [last.at] : [],
  );
  return moments.length === 0 ? undefined : Math.max(...moments);
}

interface SeriesListProps {
  series: readonly SeriesSummary[];
  further: number;
  drawn: readonly string[];
  onAdd: (series: string) => void;
}

function SeriesList({ series, further, drawn, onAdd }: SeriesListProps) {
  const sorted = series.toSorted((a, b) => a.series.localeCompare(b.series, 'en', { numeric: true }));
  return (
    <details class="series-list">
      <summary>
        {further === 0
          ? `All ${series.length} series`
          : `${series.length} of ${series.length + further} series`}
      </summary>
      <div class="scroll-x">
        <table>
          <thead>
            <tr>
              <th scope="col">Series</th>
              <th scope="col" class="number">
                Latest
              </th>
              <th scope="col" class="number">
                Age
              </th>
              <th scope="col">
                <span class="unseen">Chart</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {sorted.map(({ series: name, unit, last }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td class="number">{last === undefined ? '–' : formatReading(last.value, unit, name)}</td>
                <td class="number quiet">{last !== undefined && <Ago at={last.at} />}</td>
                <td>
                  {typeof last?.value === 'number' && !drawn.includes(name) && (
                    <button
                      type="button"
                      class="plain"
                      onClick={() => onAdd(name)}
                      aria-label={`Chart ${name}`}
                    >
                      Chart
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
