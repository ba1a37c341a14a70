import type { FetchProgress } from './release-source.ts';

const WINDOW_MS = 10_000;
const REPORT_EVERY_MS = 250;

/** Counts what has come and says so, seldom enough; the rate is that of the last ten seconds. */
export class FetchMeter {
  readonly #totalBytes: number;
  readonly #report: (progress: FetchProgress) => void;
  readonly #marks: { atMs: number; bytes: number }[];
  #bytes = 0;
  #reportedMs = Number.NEGATIVE_INFINITY;

  /** @param nowMs monotonic, as in all calls. */
  constructor(totalBytes: number, report: (progress: FetchProgress) => void, nowMs: number) {
    this.#totalBytes = totalBytes;
    this.#report = report;
    this.#marks = [{ atMs: nowMs, bytes: 0 }];
  }

  /** @param bytes negative when something has to be fetched once more. */
  count(bytes: number, nowMs: number): void {
    this.#bytes += bytes;
    if (nowMs - this.#reportedMs >= REPORT_EVERY_MS) this.tell(nowMs);
  }

  tell(nowMs: number): void {
    this.#reportedMs = nowMs;
    this.#marks.push({ atMs: nowMs, bytes: this.#bytes });
    while (this.#marks.length > 2 && (this.#marks[1]?.atMs ?? nowMs) <= nowMs - WINDOW_MS)
      this.#marks.shift();
    const [first = { atMs: nowMs, bytes: 0 }] = this.#marks;
    const seconds = (nowMs - first.atMs) / 1000;
    const rate = seconds > 0 ? (this.#bytes - first.bytes) / seconds : 0;
    this.#report({
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
      bytesPerSecond: Math.max(0, Math.round(rate)),
    });
  }
}
