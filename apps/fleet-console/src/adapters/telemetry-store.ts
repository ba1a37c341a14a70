import type { StoredSample, TelemetryNews } from '@bowline/messages';
import { SeriesBuffer, type Point } from '../core/series-buffer.ts';
import type { FleetApi } from './fleet-api.ts';

/** Series asked for at the same time. */
const LOADS_AT_ONCE = 3;

export type Snapshot = 'loading' | 'failed' | 'loaded';

/** The samples of the shown device, of the series that are drawn: a snapshot of the window, then what the stream brings. */
export class TelemetryStore {
  readonly deviceId: string;
  readonly #api: FleetApi;
  readonly #onChange: () => void;
  readonly #buffers = new Map<string, SeriesBuffer>();
  readonly #pending = new Map<string, 'loading' | 'failed'>();
  readonly #gone = new AbortController();
  #from = Infinity;
  /** Rises with each change, so that views know when to draw anew. */
  version = 0;

  constructor(api: FleetApi, deviceId: string, onChange: () => void) {
    this.#api = api;
    this.deviceId = deviceId;
    this.#onChange = onChange;
  }

  points(series: string): readonly Point[] {
    return this.#buffers.get(series)?.points ?? [];
  }

  /** How far the snapshot of a series is: without it, that there are no samples says nothing. */
  snapshotOf(series: string): Snapshot {
    if (!this.#buffers.has(series)) return 'loading';
    return this.#pending.get(series) ?? 'loaded';
  }

  /** Makes sure that these series are there from `from` on; those no longer wanted are let go. */
  async show(series: readonly string[], from: number): Promise<void> {
    for (const held of this.#buffers.keys()) if (!series.includes(held)) this.#buffers.delete(held);
    for (const buffer of this.#buffers.values()) buffer.trim(from);
    const wanted = from < this.#from ? [...series] : series.filter((name) => !this.#buffers.has(name));
    this.#from = from;
    for (const name of wanted) {
      if (!this.#buffers.has(name)) this.#buffers.set(name, new SeriesBuffer());
      this.#pending.set(name, 'loading');
    }
    await this.#load(wanted);
  }

  /** Asks for the whole window again: after the stream was away, anything may have been missed. */
  async reload(): Promise<void> {
    await this.#load([...this.#buffers.keys()]);
  }

  take({ deviceId, samples }: TelemetryNews): void {
    if (deviceId !== this.deviceId) return;
    for (const [series, news] of Map.groupBy(samples, (sample) => sample.series)) {
      this.#buffers.get(series)?.add(numeric(news));
    }
    this.#changed();
  }

  close(): void {
    this.#gone.abort();
    this.#buffers.clear();
  }

  async #load(names: readonly string[]): Promise<void> {
    const queue = [...names];
    const worker = async (): Promise<void> => {
      for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
        try {
          for await (const page of this.#api.samples(this.deviceId, name, this.#from, this.#gone.signal)) {
            this.#buffers.get(name)?.add(numeric(page));
            this.#changed();
          }
          this.#pending.delete(name);
        } catch (error) {
          if (this.#pending.has(name)) this.#pending.set(name, 'failed');
          throw error;
        } finally {
          this.#changed();
        }
      }
    };
    await Promise.all(Array.from({ length: LOADS_AT_ONCE }, worker));
  }

  #changed(): void {
    this.version += 1;
    this.#onChange();
  }
}

/** What a chart can draw of samples. */
function numeric(samples: readonly StoredSample[]): Point[] {
  return samples.flatMap(({ at, value, min: least, max: most, count }) => {
    if (typeof value !== 'number') return [];
    // What the device thinned is a mean that stands for many.
    const many =
      least === undefined || most === undefined || count === undefined ? {} : { least, most, count };
    return [{ at, value, ...many }];
  });
}
