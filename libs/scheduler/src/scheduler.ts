import type { Clock, Logger, Timer } from '@bowline/runtime';
import { BowlineError, CancelledError, RejectedError } from '@bowline/runtime/errors';
import type { Job } from './job.ts';
import { countedSince, earliest, firstOf, LOOK_EVERY_MS, nextOf, type Now, retryAt } from './plan.ts';
import { RunRecords, type RunRecord } from './run-records.ts';
import { checkSchedule, inWords, nextMoment } from './schedule.ts';

/** As `bowline status` shows it. Times in epoch milliseconds. */
export interface JobView extends Omit<RunRecord, 'fruitless' | 'since'> {
  name: string;
  schedule: string;
  state: 'running' | 'waiting';
  nextAt?: number;
}

export interface SchedulerOptions {
  /** Keeps when each job ran last. */
  file: string;
  clock: Clock;
  log: Logger;
  /** In [0, 1). */
  random(): number;
  /** A job was set or removed, began or ended. */
  onChange?(): void;
}

const MOST_ERROR_CHARS = 500;

interface Entry {
  job: Job;
  nextAt: number | undefined;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #records: RunRecords;
  readonly #entries = new Map<string, Entry>();
  /** By name, beside the entries: a run goes on when its job is set anew, and takes its time to end when it is removed. */
  readonly #running = new Map<string, { ended: Promise<void>; abort: AbortController }>();
  readonly #stopping = new AbortController();
  #timer: Timer | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#records = new RunRecords(options.file, options.log);
  }

  /**
   * Takes a job up, or goes on with it as it now is; what is running goes on.
   *
   * @throws ConfigError `schedule-invalid`
   */
  set(job: Job): void {
    checkSchedule(job.schedule);
    const before = this.#records.of(job.name);
    const record = countedSince(before, job, this.#now());
    if (record !== before) this.#records.note(job.name, record);
    const entry: Entry = { job, nextAt: undefined };
    this.#entries.set(job.name, entry);
    if (this.#running.has(job.name)) this.#plan(entry);
    else {
      const first = firstOf(job, record, this.#moment());
      if (first === 'leave-out') this.#leaveOut(entry);
      else entry.nextAt = first;
    }
    this.#options.onChange?.();
    this.#arm();
  }

  /** Ends its run, and forgets it. */
  remove(name: string): void {
    this.#entries.delete(name);
    this.#records.forget(name);
    this.#running.get(name)?.abort.abort(new CancelledError('job-removed', `the job ${name} was removed`));
    this.#options.onChange?.();
  }

  /** At once, beside its schedule. @throws RejectedError `unknown-job`, `job-running`; CancelledError `stopping` */
  runNow(name: string): Promise<void> {
    this.#stopping.signal.throwIfAborted();
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      const known = [...this.#entries.keys()].join(', ') || 'none';
      throw new RejectedError('unknown-job', `there is no job "${name}"; there are: ${known}`);
    }
    if (this.#running.has(name)) throw new RejectedError('job-running', `${name} is running already`);
    return this.#begin(entry);
  }

  view(): JobView[] {
    return [...this.#entries.values()].map(({ job, nextAt }) => {
      const { fruitless: _, since: __, ...record } = this.#records.of(job.name);
      return {
        ...record,
        name: job.name,
        schedule: inWords(job.schedule),
        state: this.#running.has(job.name) ? 'running' : 'waiting',
        ...(nextAt === undefined ? {} : { nextAt: Math.round(nextAt) }),
      };
    });
  }

  /** Nothing begins any more; waits for what runs. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#stopping.abort(new CancelledError('stopping', 'the app is stopping'));
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  #now(): number {
    return this.#options.clock.wallMs();
  }

  #moment(): Now {
    return { nowMs: this.#now(), random: this.#options.random };
  }

  #leaveOut(entry: Entry): void {
    const { name } = entry.job;
    const record = this.#records.of(name);
    this.#records.note(name, { ...record, skipped: record.skipped + 1, since: this.#now() });
    this.#plan(entry);
  }

  #plan(entry: Entry): void {
    entry.nextAt = nextOf(entry.job, this.#records.of(entry.job.name), this.#moment());
  }

  #arm(): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer?.cancel();
    const next = Math.min(...[...this.#entries.values()].map(({ nextAt }) => nextAt ?? Infinity));
    const inMs = Math.max(0, Math.min(LOOK_EVERY_MS, next - this.#now()));
    this.#timer = this.#options.clock.after(inMs, () => this.#look());
  }

  #look(): void {
    for (const entry of this.#entries.values()) {
      const now = this.#now();
      if (entry.nextAt !== undefined && entry.nextAt <= now) this.#due(entry, now - entry.nextAt);
      else this.#mindClock(entry);
    }
    this.#arm();
  }

  #due(entry: Entry, lateMs: number): void {
    const { name, missed, jitterMs } = entry.job;
    const isMissed = lateMs > 2 * LOOK_EVERY_MS;
    if (this.#running.has(name) || (isMissed && missed === 'skip')) this.#leaveOut(entry);
    // A fleet that is woken, or told the time, at one moment does not act in step either.
    else if (isMissed && jitterMs > 0) entry.nextAt = this.#now() + this.#options.random() * jitterMs;
    else void this.#begin(entry);
  }

  /** The clock was set back: what was planned for a moment far ahead comes as soon as it would have been planned now. */
  #mindClock(entry: Entry): void {
    const { job, nextAt } = entry;
    const next = nextMoment(job.schedule, this.#now(), this.#now());
    if (nextAt !== undefined && next !== undefined && nextAt > next + job.jitterMs) this.#plan(entry);
  }

  #begin(entry: Entry): Promise<void> {
    const { name } = entry.job;
    const abort = new AbortController();
    const ended = this.#run(entry, abort.signal).finally(() => {
      this.#running.delete(name);
      this.#options.onChange?.();
      this.#arm();
    });
    this.#running.set(name, { ended, abort });
    this.#options.onChange?.();
    return ended;
  }

  async #run(entry: Entry, removed: AbortSignal): Promise<void> {
    const { job } = entry;
    const { clock, log } = this.#options;
    const before = this.#records.of(job.name);
    this.#records.note(job.name, {
      ...before,
      startedAt: this.#now(),
      runs: before.runs + 1,
      fruitless: before.fruitless + 1,
    });
    this.#plan(entry);
    const startedMs = clock.monotonicMs();
    try {
      await job.run(AbortSignal.any([this.#stopping.signal, removed]));
      if (!removed.aborted) this.#succeeded(job.name);
      log.info({ job: job.name, tookMs: Math.round(clock.monotonicMs() - startedMs) }, 'job done');
    } catch (error) {
      // Cut off: it is gone on with after the next start.
      if (this.#stopping.signal.aborted) return;
      if (!removed.aborted) this.#failed(job.name, error);
    } finally {
      // Removed and set again meanwhile: what was cut off for that is gone on with.
      const present = this.#entries.get(job.name);
      if (removed.aborted && present !== undefined)
        present.nextAt = earliest(present.nextAt, retryAt(1, this.#moment()));
    }
  }

  #succeeded(name: string): void {
    const { lastError: _, ...record } = this.#records.of(name);
    this.#records.note(name, { ...record, endedAt: this.#now(), succeededAt: this.#now(), fruitless: 0 });
  }

  #failed(name: string, error: unknown): void {
    const record = this.#records.of(name);
    const text = error instanceof BowlineError ? `${error.code}: ${error.message}` : String(error);
    this.#records.note(name, {
      ...record,
      endedAt: this.#now(),
      lastError: text.slice(0, MOST_ERROR_CHARS),
      failures: record.failures + 1,
    });
    const present = this.#entries.get(name);
    if (present !== undefined)
      present.nextAt = earliest(present.nextAt, retryAt(record.fruitless, this.#moment()));
    this.#options.log.warn({ job: name, error }, 'job failed');
  }
}
