import type { Sample } from '@bowline/messages';
import { mergeSamples } from './merge-samples.ts';
import { corrected, type KnownOffset } from './sample.ts';

/** Samples of one series that will not come by themselves (protocol, section 4, `gap`): given up, or part of an average. */
export interface Thinned {
  /** Absent: of many, see {@link MOST_THINNED}. */
  series?: string;
  count: number;
  fromAt: number;
  toAt: number;
}

interface Entry {
  sample: Sample;
  /** As JSON in a message. */
  bytes: number;
  /** When it came in, monotonic milliseconds. */
  sinceMs: number;
}

/** A portion on its way to the gateway; comes back by `restore` if it is refused for now. */
export interface Portion {
  entries: readonly Entry[];
  thinned: readonly Thinned[];
}

export interface BufferLimits {
  /** At least 2. */
  samples: number;
  /** Of all samples as JSON. */
  bytes: number;
}

/**
 * What was accepted and is not the gateway's yet, oldest first, bounded. When it is full, each two neighbours of a series in
 * the older half become one, their average with `min`, `max` and `count`: a long outage costs resolution, not the picture.
 * How many samples will not come by themselves is counted by series.
 */
export class SampleBuffer {
  #limits: BufferLimits;
  #entries: Entry[] = [];
  #bytes = 0;
  #thinned = new Map<string, Thinned>();
  #added = 0;
  #givenUp = 0;

  constructor(limits: BufferLimits) {
    this.#limits = limits;
  }

  reconfigure(limits: BufferLimits): void {
    this.#limits = limits;
    this.#makeRoom();
  }

  get samples(): number {
    return this.#entries.length;
  }

  get mostSamples(): number {
    return this.#limits.samples;
  }

  /** Since the start: all that came in, and how many of them will not come by themselves. */
  get totals(): { added: number; givenUp: number } {
    return { added: this.#added, givenUp: this.#givenUp };
  }

  /** Of all samples as JSON. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Anything to hand over, be it only that samples were given up. */
  get isEmpty(): boolean {
    return this.#entries.length === 0 && this.#thinned.size === 0;
  }

  /** When the oldest sample came in, monotonic milliseconds. */
  get oldestSinceMs(): number | undefined {
    return this.#entries[0]?.sinceMs;
  }

  add(samples: readonly Sample[], nowMs: number): void {
    for (const sample of samples) {
      const entry = entryOf(sample, nowMs);
      this.#entries.push(entry);
      this.#bytes += entry.bytes;
    }
    this.#added += samples.length;
    this.#makeRoom();
  }

  /** Takes the oldest, at least one if there is any, and the count of what was given up. */
  take(limit: { samples: number; bytes: number }): Portion {
    let count = 0;
    let bytes = 0;
    for (const entry of this.#entries) {
      bytes += entry.bytes;
      if (count > 0 && (count >= limit.samples || bytes > limit.bytes)) break;
      count += 1;
    }
    const portion = { entries: this.#entries.splice(0, count), thinned: [...this.#thinned.values()] };
    this.#bytes -= sumOfBytes(portion.entries);
    this.#thinned.clear();
    return portion;
  }

  /** The portion was not taken: it is the oldest again. */
  restore({ entries, thinned }: Portion): void {
    this.#entries = [...entries, ...this.#entries];
    this.#bytes += sumOfBytes(entries);
    for (const each of thinned) this.#note(each);
    this.#makeRoom();
  }

  /** The portion never will be taken: its samples are counted as given up. */
  discard({ entries, thinned }: Portion): void {
    for (const each of thinned) this.#note(each);
    for (const { sample } of entries) this.#giveUp(sample, sample);
  }

  /** What is `unsynchronised` and of that boot gets its right moment. */
  correct(boot: KnownOffset): void {
    this.#entries = this.#entries.map(({ sample, sinceMs }) => entryOf(corrected(sample, boot), sinceMs));
    this.#bytes = sumOfBytes(this.#entries);
  }

  #makeRoom(): void {
    const { samples, bytes } = this.#limits;
    while (this.#entries.length > samples || (this.#bytes > bytes && this.#entries.length > 1)) this.#thin();
  }

  #thin(): void {
    const half = Math.ceil(this.#entries.length / 2);
    /** The earlier of a pair whose later one has not come yet: where it is in `kept`. */
    const single = new Map<string, number>();
    const kept: Entry[] = [];
    for (const entry of this.#entries.slice(0, half)) {
      const { series } = entry.sample;
      const index = single.get(series);
      const earlier = index === undefined ? undefined : kept[index];
      if (index === undefined || earlier === undefined) {
        single.set(series, kept.push(entry) - 1);
        continue;
      }
      single.delete(series);
      const merged = mergeSamples(earlier.sample, entry.sample);
      if (merged !== undefined) kept[index] = entryOf(merged, earlier.sinceMs);
      this.#giveUp(earlier.sample, entry.sample);
    }
    // Nothing of any series came twice: then the oldest goes.
    if (kept.length === half) {
      const oldest = kept.shift();
      if (oldest !== undefined) this.#giveUp(oldest.sample, oldest.sample);
    }
    this.#entries = [...kept, ...this.#entries.slice(half)];
    this.#bytes = sumOfBytes(this.#entries);
  }

  /** One sample less between these two: what an average stands for beside itself was counted when it was made. */
  #giveUp({ series, at: fromAt }: Sample, { at: toAt }: Sample): void {
    this.#givenUp += 1;
    this.#note({ series, count: 1, fromAt: Math.min(fromAt, toAt), toAt: Math.max(fromAt, toAt) });
  }

  #note({ series, count, fromAt, toAt }: Thinned): void {
    const isOwn = series !== undefined && (this.#thinned.has(series) || this.#thinned.size < MOST_THINNED);
    const name = isOwn ? series : REST;
    const known = this.#thinned.get(name);
    this.#thinned.set(name, {
      ...(isOwn ? { series } : {}),
      count: count + (known?.count ?? 0),
      fromAt: Math.min(fromAt, known?.fromAt ?? fromAt),
      toAt: Math.max(toAt, known?.toAt ?? toAt),
    });
  }
}

function entryOf(sample: Sample, sinceMs: number): Entry {
  const json = JSON.stringify(sample);
  // One for the comma. Three bytes are the most that UTF-8 takes for one unit of a text.
  const bytes = (ASCII.test(json) ? json.length : 3 * json.length) + 1;
  return { sample, bytes, sinceMs };
}

/** So many series have a count of their own: each is a message in the end, and names may be made up without end. */
const MOST_THINNED = 1000;
/** No series is called so. */
const REST = '';

const ASCII = /^[\x20-\x7e]*$/;
const sumOfBytes = (entries: readonly Entry[]): number => entries.reduce((sum, { bytes }) => sum + bytes, 0);
