import type { Point } from './series-buffer.ts';

/** What stands for the samples of a short stretch of time: their mean, and between which values they lay. */
export interface Bucket extends Point {
  least: number;
  most: number;
}

/** More than this many points in one small chart are a solid block of colour. */
export const MOST_BUCKETS = 120;

/**
 * So few buckets that a line of them can be read, with the extremes kept: a mean alone would hide the peak that one is looking
 * for. Few samples stay as they are. Buckets begin at multiples of their width, so that they do not change as the window moves on.
 */
export function thin(points: readonly Point[], from: number, to: number, most = MOST_BUCKETS): Bucket[] {
  const inside = points.filter(({ at }) => at >= from && at <= to).length;
  if (inside <= most) return points.map(bucketOf);
  const widthMs = Math.ceil((to - from) / most);
  const buckets: Bucket[] = [];
  let place: number | undefined;
  let size = 0;
  for (const point of points) {
    const { at, value } = point;
    const count = Math.max(1, point.count ?? 1);
    const { least, most: greatest } = bucketOf(point);
    const here = Math.floor(at / widthMs);
    const last = buckets.at(-1);
    if (last === undefined || here !== place) {
      buckets.push({ at, value, least, most: greatest });
      place = here;
      size = count;
      continue;
    }
    size += count;
    last.at += ((at - last.at) * count) / size;
    last.value += ((value - last.value) * count) / size;
    last.least = Math.min(last.least, least);
    last.most = Math.max(last.most, greatest);
  }
  return buckets;
}

const bucketOf = ({ at, value, least = value, most = value }: Point): Bucket => ({ at, value, least, most });
