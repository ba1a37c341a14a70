export interface Point {
  /** Epoch milliseconds. */
  at: number;
  value: number;
  /** Of a mean: between which values what it stands for lay, and how many samples that was. */
  least?: number;
  most?: number;
  count?: number;
}

/**
 * The samples of one series, ascending in time, one a moment, bounded.
 *
 * Samples come out of order (a device that was away replays its history after its first live ones) and twice (a
 * snapshot overlaps the stream): the later word about a moment wins.
 */
export class SeriesBuffer {
  readonly #capacity: number;
  #points: Point[] = [];

  /** @param capacity points kept, the newest; default 50,000 (a day at one every two seconds) */
  constructor(capacity = 50_000) {
    this.#capacity = capacity;
  }

  get points(): readonly Point[] {
    return this.#points;
  }

  get last(): Point | undefined {
    return this.#points.at(-1);
  }

  add(points: readonly Point[]): void {
    for (const point of points) {
      if (!Number.isFinite(point.value)) continue;
      const last = this.#points.at(-1);
      if (last === undefined || point.at > last.at) this.#points.push(point);
      else this.#insert(point);
    }
    if (this.#points.length > this.#capacity) this.#points = this.#points.slice(-this.#capacity);
  }

  /** Forgets what lies before `at`. */
  trim(at: number): void {
    const keep = this.#indexOf(at);
    if (keep > 0) this.#points = this.#points.slice(keep);
  }

  #insert(point: Point): void {
    const index = this.#indexOf(point.at);
    this.#points.splice(index, this.#points[index]?.at === point.at ? 1 : 0, point);
  }

  /** The first index whose time is not before `at`. */
  #indexOf(at: number): number {
    let low = 0;
    let high = this.#points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#points[middle]?.at ?? Infinity) < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
