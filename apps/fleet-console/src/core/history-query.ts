import type { HistoryAnswer } from '@bowline/messages';
import type { JsonValue } from './json.ts';
import type { Point } from './series-buffer.ts';

/** Stretches of the past that a device can be asked for. */
export const PASTS = [
  { label: 'last hour', ms: 3_600_000 },
  { label: 'last 24 hours', ms: 86_400_000 },
  { label: 'last 7 days', ms: 7 * 86_400_000 },
  { label: 'last 30 days', ms: 30 * 86_400_000 },
  { label: 'last year', ms: 365 * 86_400_000 },
] as const;

/** As many points as a chart is wide. */
const POINTS = 1000;
/** Finer than this every sample is asked for: joining would save nothing. */
const FINEST_MS = 10_000;
const NICE_MS = [60_000, 300_000, 900_000, 3_600_000, 6 * 3_600_000, 86_400_000];

/** What the order says: so much of the past, joined to about as many points as one sees. */
export function historyPayload(series: string, pastMs: number, now: number): Record<string, JsonValue> {
  const to = Math.ceil(now);
  const wanted = pastMs / POINTS;
  const resolutionMs =
    wanted < FINEST_MS ? 0 : (NICE_MS.find((each) => each >= wanted) ?? NICE_MS.at(-1) ?? 0);
  const payload = { kind: 'telemetry', series: [series], from: to - pastMs, to };
  return resolutionMs === 0 ? payload : { ...payload, resolutionMs };
}

/** What a chart can draw of an answer: of `[at, least, greatest, mean, count]` all of it, of `[at, value]` a number. */
export function pointsOfAnswer({ items }: Pick<HistoryAnswer, 'items'>, series: string): Point[] {
  const points: Point[] = [];
  for (const item of items) {
    if (typeof item !== 'object' || item === null) continue;
    const { series: name, points: rows } = item as { series?: unknown; points?: unknown };
    if (name !== series || !Array.isArray(rows)) continue;
    for (const row of rows as unknown[]) {
      const point = pointOf(row);
      if (point !== undefined) points.push(point);
    }
  }
  return points;
}

function pointOf(row: unknown): Point | undefined {
  if (!Array.isArray(row)) return undefined;
  const numbers = (row as unknown[]).filter((each) => typeof each === 'number');
  if (numbers.length !== row.length) return undefined;
  const [at, least, most, value, count] = numbers;
  if (at === undefined || least === undefined) return undefined;
  if (most === undefined) return { at, value: least };
  return value === undefined || count === undefined ? undefined : { at, value, least, most, count };
}

export type HistoryState =
  | { kind: 'idle' }
  | { kind: 'asking' }
  | { kind: 'coming'; parts: number }
  | { kind: 'failed'; reason: string }
  | { kind: 'there'; points: Point[] };

/** How an answer that was looked at stands; `reason`: why the order ended, if it did not succeed. */
export function stateOf(answer: HistoryAnswer, series: string, reason: string | undefined): HistoryState {
  if (answer.complete) return { kind: 'there', points: pointsOfAnswer(answer, series) };
  const { status, parts } = answer;
  if (['rejected', 'failed', 'expired', 'cancelled', 'indeterminate'].includes(status)) {
    return {
      kind: 'failed',
      reason: `The order ended ${status}${reason === undefined ? '' : `: ${reason}`}.`,
    };
  }
  return { kind: 'coming', parts };
}
