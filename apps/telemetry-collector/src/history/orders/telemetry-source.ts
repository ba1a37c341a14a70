import type { History, HistoryPoint } from '@bowline/history-store';
import type { HistoryRequest } from '@bowline/messages';
import { setImmediate as othersTurn } from 'node:timers/promises';
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
  history: Pick<History, 'query' | 'estimatePoints' | 'pendingPoints' | 'seriesNames'>,
  { series, from, to, resolutionMs = 0 }: HistoryRequest,
): HistorySource {
  const names = () => (series === undefined ? history.seriesNames() : [...new Set(series)].toSorted());
  const of = (name: string, since = from) => ({ series: name, from: since, to, resolutionMs });
  return {
    estimate: async (signal) => {
      const pending = history.pendingPoints({ from, to });
      let [items, bytes] = [0, 0];
      for (const name of names()) {
        signal.throwIfAborted();
        const { samples, joined } = history.estimatePoints(of(name), pending);
        items += samples + joined;
        bytes += samples * POINT_BYTES + joined * AGGREGATE_BYTES;
        await othersTurn();
      }
      return { items, bytes, advice: 'ask for fewer series, a shorter range or a coarser resolutionMs' };
    },
    async *items(cursor, signal) {
      for (const [index, name] of namesFrom(names(), cursor).entries()) {
        // By its name: with one that came meanwhile the numbers would not fit any more.
        const isResumed = index === 0 && (cursor.mark ?? name) === name;
        let toSkip = isResumed ? cursor.skip : 0;
        const begin = isResumed ? Math.max(from, cursor.at) : from;
        const groupIndex = cursor.group + index;
        for (let next: number | undefined = begin; next !== undefined;) {
          signal.throwIfAborted();
          const answer = history.query({ ...of(name, next), limit: POINTS_AT_ONCE });
          const group = { series: name, ...(answer.unit === undefined ? {} : { unit: answer.unit }) };
          for (const point of answer.points) {
            if (toSkip > 0 && isAt(cursor, point)) toSkip -= 1;
            else yield { ...itemOf(point), group, groupIndex, mark: name };
          }
          next = answer.next;
          await othersTurn();
        }
      }
    },
  };
}

/** @param names sorted */
const namesFrom = (names: readonly string[], { group, mark }: Cursor): string[] =>
  mark === undefined ? names.slice(group) : names.filter((name) => name >= mark);

const isAt = (cursor: Cursor, { at }: { at: number }): boolean => at === cursor.at;

const itemOf = (point: HistoryPoint): Item => ({
  at: point.at,
  text: JSON.stringify(
    'value' in point ? [point.at, point.value] : [point.at, point.min, point.max, point.avg, point.count],
  ),
});
