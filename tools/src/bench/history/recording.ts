import type { Sample } from '@bowline/messages';
import type { SeededRandom } from '@bowline/testing';

/** Samples are handed over every half minute. */
export const BATCH_SECONDS = 30;
export const START = 1_790_000_000_000;

/**
 * Values as devices have them: a sixth each of temperatures (two decimals), shares of a CPU (all digits), bytes that rise,
 * counters of errors that hardly do, loads, and switches. Times jitter by some milliseconds.
 */
export class Recording {
  readonly #random: SeededRandom;
  readonly #state: number[];
  #second = 0;

  /** @param series a sample of each a second */
  constructor(random: SeededRandom, series: number) {
    this.#random = random;
    this.#state = Array.from({ length: series }, (_, index) => 20 + index);
  }

  /** The next batch of all series. */
  next(): Sample[] {
    const samples: Sample[] = [];
    for (let each = 0; each < BATCH_SECONDS; each += 1) {
      const at = START + 1000 * this.#second + this.#random.integer(0, 8);
      this.#second += 1;
      for (let index = 0; index < this.#state.length; index += 1) samples.push(this.#sample(index, at));
    }
    return samples;
  }

  #sample(index: number, at: number): Sample {
    const random = this.#random;
    const before = this.#state[index] ?? 0;
    const kind = index % 6;
    const step = (most: number) => (random.next() - 0.5) * most;
    let value: number;
    if (kind === 0) value = Math.round(100 * (before + step(0.2))) / 100;
    else if (kind === 1) value = Math.min(1, Math.max(0, (before % 1) + step(0.1)));
    else if (kind === 2) value = before + random.integer(0, 20_000);
    else if (kind === 3) value = before + (random.next() < 0.01 ? 1 : 0);
    else if (kind === 4) value = Math.max(0, Math.round(100 * (before + step(0.1))) / 100);
    else value = random.next() < 0.02 ? 1 - Math.round(before % 2) : Math.round(before % 2);
    this.#state[index] = value;
    return { series: `bench.series.${index}`, at, value, unit: '1', quality: 'good' };
  }
}
