import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import type { Device, SeriesSummary } from '@bowline/messages';
import { singleChart } from '../core/charts.ts';
import { historyPayload, PASTS, type HistoryState } from '../core/history-query.ts';
import type { Point } from '../core/series-buffer.ts';
import { usePage } from './page-context.ts';
import { TimeChart } from './time-chart.tsx';

const LOOK_EVERY_MS = 1000;

/** What was asked for, and the stretch that the chart shows. */
interface Asked {
  orderId: string;
  series: SeriesSummary;
  from: number;
  to: number;
}

export interface HistoryPanelProps {
  device: Device;
  series: readonly SeriesSummary[];
  scheme: string;
}

/** Asks the device itself for its past: more than the server holds, and from before it was last away. */
export function HistoryPanel({ device, series, scheme }: HistoryPanelProps) {
  const { fleet, now, may } = usePage();
  const numeric = series.filter(({ last }) => typeof last?.value === 'number');
  const [name, setName] = useState('');
  const [past, setPast] = useState(1);
  const [asked, setAsked] = useState<Asked | undefined>();
  const [state, setState] = useState<HistoryState>({ kind: 'idle' });
  const chosen = numeric.find((each) => each.series === name) ?? numeric[0];
  const chart = useMemo(() => asked && singleChart(asked.series), [asked]);
  const points = state.kind === 'there' ? state.points : [];
  const pointsOf = useCallback(() => points, [state]);

  useEffect(() => {
    if (asked === undefined) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isGone = false;
    const look = async (): Promise<void> => {
      const next = await fleet.historyState(asked.orderId, asked.series.series).catch(failed);
      if (isGone) return;
      setState(next);
      if (next.kind === 'coming') timer = setTimeout(() => void look(), LOOK_EVERY_MS);
    };
    void look();
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [fleet, asked]);

  if (chosen === undefined) return null;
  const ask = async (): Promise<void> => {
    const payload = historyPayload(chosen.series, (PASTS[past] ?? PASTS[0]).ms, now);
    setAsked(undefined);
    setState({ kind: 'asking' });
    try {
      const orderId = await fleet.requestHistory(device.deviceId, payload);
      setAsked({ orderId, series: chosen, from: Number(payload['from']), to: Number(payload['to']) });
    } catch (error) {
      setState(failed(error));
    }
  };

  return (
    <section class="panel" aria-labelledby="history-title">
      <div class="panel-head">
        <h2 id="history-title">History on the device</h2>
      </div>
      <form
        class="history-form"
        aria-label={`Ask ${device.name} for its history`}
        onSubmit={(event) => {
          event.preventDefault();
          void ask();
        }}
      >
        <label>
          <span>Series</span>
          <select value={chosen.series} onChange={(event) => setName(event.currentTarget.value)}>
            {numeric.map((each) => (
              <option key={each.series} value={each.series}>
                {each.series}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>Time</span>
          <select value={past} onChange={(event) => setPast(Number(event.currentTarget.value))}>
            {PASTS.map(({ label }, index) => (
              <option key={label} value={index}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <button type="submit" disabled={!may('operator') || state.kind === 'asking'}>
          Ask the device
        </button>
      </form>
      <p class="hint" role="status">
        {words(state, device.online)}
      </p>
      {asked !== undefined && chart !== undefined && state.kind === 'there' && points.length > 0 && (
        <TimeChart
          chart={chart}
          pointsOf={pointsOf}
          snapshot="loaded"
          version={points.length}
          stretch={{ from: asked.from, to: asked.to, past: true }}
          scheme={scheme}
        />
      )}
    </section>
  );
}

const isJoined = (points: readonly Point[]): boolean => points.some(({ least }) => least !== undefined);

const failed = (error: unknown): HistoryState => ({
  kind: 'failed',
  reason: error instanceof Error ? error.message : String(error),
});

function words(state: HistoryState, isOnline: boolean): string {
  switch (state.kind) {
    case 'idle':
      return 'The device keeps samples for days and hourly figures for years, whether it was online or not.';
    case 'asking':
      return 'Giving the order…';
    case 'coming':
      if (!isOnline) return 'The device is dark: it answers when it is back.';
      return state.parts === 0 ? 'Waiting for the device…' : `${state.parts} parts have come…`;
    case 'failed':
      return state.reason;
    case 'there':
      return state.points.length === 0
        ? 'The device has nothing of that time.'
        : `${state.points.length} points. A break in the line is a time without samples${isJoined(state.points) ? '; the shade reaches from the least to the greatest' : ''}.`;
  }
}
