import type { History, HistoryPoint } from '@bowline/history-store';
import type { HistoryRequest } from '@bowline/messages';
import type { Cursor, HistorySource, Item } from './item.ts';

/** As JSON, generously: `[1790000000000,21.53],`, and with least, greatest, mean and count. */
const POINT_BYTES = 36;
const AGGREGATE_BYTES = 80;
const POINTS_AT_ONCE = 5000;

/**
 * What the history has of some series, or of all: for each point `[at, value]`, or `[at, least, greatest, mean, count]` where a
 * resolution was asked for or only minutes or hours are left.
 */
export function telemetrySource(
  history: Pick<History, 'query' | 'estimatePoints' | 'seriesNames'>,
  { series, from, to, resolutionMs = 0 }: HistoryRequest,
): HistorySource {
  const names = () => (series === undefined ? history.seriesNames() : [...new Set(series)].toSorted());
  const of = (name: string, since = from) => ({ series: name, from: since, to, resolutionMs });
  return {
    estimate: async () => {
      const items = names().reduce((sum, name) => sum + history.estimatePoints(of(name)), 0);
      const bytes = items * (resolutionMs > 0 ? AGGREGATE_BYTES : POINT_BYTES);
      return { items, bytes, advice: 'ask for fewer series, a shorter range or a coarser resolutionMs' };
    },
    async *items(cursor, signal) {
      for (const [groupIndex, name] of names().entries()) {
        if (groupIndex < cursor.group) continue;
        let toSkip = groupIndex === cursor.group ? cursor.skip : 0;
        const begin = groupIndex === cursor.group ? Math.max(from, cursor.at) : from;
        for (let next: number | undefined = begin; next !== undefined;) {
          signal.throwIfAborted();
          const answer = history.query({ ...of(name, next), limit: POINTS_AT_ONCE });
          const group = { series: name, ...(answer.unit === undefined ? {} : { unit: answer.unit }) };
          for (const point of answer.points) {
            if (toSkip > 0 && isAt(cursor, point)) toSkip -= 1;
            else yield { ...itemOf(point), group, groupIndex };
          }
          next = answer.next;
          // Others get their turn.
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    },
  };
}

const isAt = (cursor: Cursor, { at }: { at: number }): boolean => at === cursor.at;

const itemOf = (point: HistoryPoint): Item => ({
  at: point.at,
  text: JSON.stringify(
    'value' in point ? [point.at, point.value] : [point.at, point.min, point.max, point.avg, point.count],
  ),
});
