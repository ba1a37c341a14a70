import { readFileIfPresent, writeFileDurably, type Logger } from '@bowline/runtime';

/** What is kept of a job across restarts. Times in epoch milliseconds. */
export interface RunRecord {
  startedAt?: number;
  endedAt?: number;
  succeededAt?: number;
  lastError?: string;
  runs: number;
  failures: number;
  /** Moments at which it was due and still ran, or that went by while the device was off or asleep. */
  skipped: number;
  /** Runs in a row that failed or were cut off, the one under way included. */
  fruitless: number;
  /** Moments before this do not count: the job was set then, to this schedule, or left them out. */
  since?: number;
  schedule?: string;
}

/** The records of all jobs in one small file, replaced as a whole. A spoilt one means that nothing is known. */
export class RunRecords {
  readonly #file: string;
  readonly #log: Pick<Logger, 'warn'>;
  readonly #records: Map<string, Partial<RunRecord>>;

  constructor(file: string, log: Pick<Logger, 'warn'>) {
    this.#file = file;
    this.#log = log;
    this.#records = new Map(Object.entries(this.#read()));
  }

  of(job: string): RunRecord {
    const { runs = 0, failures = 0, skipped = 0, fruitless = 0, ...rest } = this.#records.get(job) ?? {};
    return { ...rest, runs, failures, skipped, fruitless };
  }

  /** A disk that does not take it costs a run too many after a restart, never a job. */
  note(job: string, record: RunRecord): void {
    this.#records.set(job, record);
    this.#write();
  }

  forget(job: string): void {
    if (this.#records.delete(job)) this.#write();
  }

  #write(): void {
    try {
      writeFileDurably(this.#file, `${JSON.stringify(Object.fromEntries(this.#records), null, 2)}\n`);
    } catch (error) {
      this.#log.warn({ error, file: this.#file }, 'the last runs of the jobs could not be written');
    }
  }

  #read(): Record<string, Partial<RunRecord>> {
    try {
      const value: unknown = JSON.parse(readFileIfPresent(this.#file) ?? '{}');
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
        return value as Record<string, Partial<RunRecord>>;
      }
    } catch (error) {
      this.#log.warn(
        { error, file: this.#file },
        'the last runs of the jobs cannot be read: they count as unknown',
      );
    }
    return {};
  }
}
