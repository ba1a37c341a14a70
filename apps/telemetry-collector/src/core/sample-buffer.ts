import type { Sample } from '@bowline/messages';

/** Samples of one series that were given up before they had a seq (protocol, section 4, `gap`). */
export interface Thinned {
  series: string;
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

/**
 * What was sampled and is not the gateway's yet, oldest first, bounded. When it is full, the older half loses every second
 * sample of each series: a long outage costs resolution, not the picture. What was given up is counted by series.
 */
export class SampleBuffer {
  #maxSamples: number;
  #entries: Entry[] = [];
  #bytes = 0;
  #thinned = new Map<string, Thinned>();
  #added = 0;
  #givenUp = 0;

  /** @param maxSamples at least 2 */
  constructor(maxSamples: number) {
    this.#maxSamples = maxSamples;
  }

  reconfigure(maxSamples: number): void {
    this.#maxSamples = maxSamples;
    this.#makeRoom();
  }

  get samples(): number {
    return this.#entries.length;
  }

  /** Since the start: all that came in, and how many of them were given up. */
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
      // ASCII throughout: a name's pattern and our units allow nothing else. One for the comma.
      const bytes = JSON.stringify(sample).length + 1;
      this.#entries.push({ sample, bytes, sinceMs: nowMs });
      this.#bytes += bytes;
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
    for (const { sample } of entries) this.#giveUp(sample);
  }

  #makeRoom(): void {
    if (this.#entries.length <= this.#maxSamples) return;
    while (this.#entries.length > this.#maxSamples) this.#thin();
    this.#bytes = sumOfBytes(this.#entries);
  }

  #thin(): void {
    const half = Math.ceil(this.#entries.length / 2);
    const seen = new Map<string, number>();
    const kept = this.#entries.slice(0, half).filter(({ sample }) => {
      const nth = seen.get(sample.series) ?? 0;
      seen.set(sample.series, nth + 1);
      if (nth % 2 === 0) return true;
      this.#giveUp(sample);
      return false;
    });
    // Nothing of any series came twice: then the oldest goes.
    if (kept.length === half) this.#giveUp(kept.shift()?.sample);
    this.#entries = [...kept, ...this.#entries.slice(half)];
  }

  #giveUp(sample: Sample | undefined): void {
    if (sample === undefined) return;
    this.#givenUp += 1;
    this.#note({ series: sample.series, count: 1, fromAt: sample.at, toAt: sample.at });
  }

  #note({ series, count, fromAt, toAt }: Thinned): void {
    const known = this.#thinned.get(series);
    this.#thinned.set(series, {
      series,
      count: count + (known?.count ?? 0),
      fromAt: Math.min(fromAt, known?.fromAt ?? fromAt),
      toAt: Math.max(toAt, known?.toAt ?? toAt),
    });
  }
}

const sumOfBytes = (entries: readonly Entry[]): number => entries.reduce((sum, { bytes }) => sum + bytes, 0);
