import type { History } from '@bowline/history-store';
import type { AppRequests } from '@bowline/messages/hub';
import type { Recorder } from './recorder.ts';

type Asked = AppRequests['localHistory'];

/** Points in one answer at most: below the largest frame of the hub. */
const MOST_POINTS = 20_000;

/** A look into the history from the device's own command line. */
export function answerLocally(
  history: Pick<History, 'query' | 'seriesNames'>,
  recorder: Pick<Recorder, 'commit'>,
  { series, from, to, resolutionMs }: Asked['request'],
): Asked['response'] {
  recorder.commit();
  if (series === undefined) return { names: history.seriesNames(), points: [] };
  const { points, unit, next } = history.query({
    series,
    from,
    to,
    limit: MOST_POINTS,
    ...(resolutionMs === undefined ? {} : { resolutionMs }),
  });
  return {
    names: [series],
    points,
    ...(unit === undefined ? {} : { unit }),
    ...(next === undefined ? {} : { next }),
  };
}
