import { History } from '@bowline/history-store';
import type { Sample } from '@bowline/messages';

const YEAR_MS = 365 * 86_400_000;

/** The history as the collector keeps it. */
export class SqliteCandidate {
  readonly #history: History;

  constructor(folder: string) {
    const retention = { rawMs: YEAR_MS, minutesMs: YEAR_MS, hoursMs: YEAR_MS, maxBytes: 2 ** 30 };
    this.#history = new History({ folder, retention, reserveBytes: 0, mostSeries: 10_000 });
  }

  record(samples: Sample[]): void {
    this.#history.record(samples, { unsent: false });
  }

  seal(): void {
    this.#history.seal();
  }

  query(series: string, from: number, to: number): unknown[] {
    return this.#history.query({ series, from, to, limit: Infinity }).points;
  }

  close(): void {
    this.#history.close();
  }
}
