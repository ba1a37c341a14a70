import type { History, HistoryPoint } from '@bowline/history-store';
import type { HistoryRequest } from '@bowline/messages';
import { setImmediate as othersTurn } from 'node:timers/promises';
import type { Cursor, HistorySource, Item } from './item.ts';

/** As JSON, the longest that numbers get: `[1790000000000,-0.12345678901234567],`, and with least, greatest, mean and count. */
const POINT_BYTES = 40;
const AGGREGATE_BYTES = 90;
/** Around the points of a series in a part, with its unit, beside its name. */
const SERIES_BYTES = 72;
/** What hardly packs comes in parts of no less. */
const PART_BYTES = 32 * 1024;
const POINTS_AT_ONCE = 5000;

const ADVICE = 'ask for fewer series, a shorter range or a coarser resolutionMs';

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
  async function* points(name: string, begin: number, signal: AbortSignal): AsyncGenerator<Item> {
    for (let next: number | undefined = begin; next !== undefined;) {
      signal.throwIfAborted();
      const answer = history.query({ ...of(name, next), limit: POINTS_AT_ONCE });
      const group = { series: name, ...(answer.unit === undefined ? {} : { unit: answer.unit }) };
      for (const point of answer.points) yield { ...itemOf(point), group, mark: name };
      next = answer.next;
      await othersTurn();
    }
  }
  return {
    estimate: async (signal, enough = Infinity) => {
      let [items, bytes] = [0, 2];
      for (const name of names()) {
        signal.throwIfAborted();
        const { samples, joined, isUneven } = history.estimatePoints(of(name));
        let size = 0;
        if (isUneven) {
          for await (const { text } of points(name, from, signal)) {
            items += 1;
            size += Buffer.byteLength(text) + 1;
            if (bytes + size > enough) break;
          }
        } else {
          items += samples + joined;
          size = samples * POINT_BYTES + joined * AGGREGATE_BYTES;
        }
        const parts = Math.ceil(size / PART_BYTES);
        bytes += size + parts * (SERIES_BYTES + Buffer.byteLength(name));
        if (bytes > enough) return { items, bytes, advice: ADVICE, isMore: true };
        await othersTurn();
      }
      return { items, bytes, advice: ADVICE };
    },
    async *items(cursor, signal) {
      for (const [index, name] of namesFrom(names(), cursor).entries()) {
        // By its name: with one that came meanwhile the numbers would not fit any more.
        const isResumed = index === 0 && (cursor.mark ?? name) === name;
        let toSkip = isResumed ? cursor.skip : 0;
        const begin = isResumed ? Math.max(from, cursor.at) : from;
        const groupIndex = cursor.group + index;
        for await (const item of points(name, begin, signal)) {
          if (toSkip > 0 && item.at === cursor.at) toSkip -= 1;
          else yield { ...item, groupIndex };
        }
      }
    },
  };
}

/** @param names sorted */
const namesFrom = (names: readonly string[], { group, mark }: Cursor): string[] =>
  mark === undefined ? names.slice(group) : names.filter((name) => name >= mark);

const itemOf = (point: HistoryPoint): Item => ({
  at: point.at,
  text: JSON.stringify(
    'value' in point ? [point.at, point.value] : [point.at, point.min, point.max, point.avg, point.count],
  ),
});
