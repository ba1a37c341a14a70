import { backoffMs, type Clock, type Logger, type Timer } from '@bowline/runtime';
import { BowlineError, CancelledError, RejectedError } from '@bowline/runtime/errors';
import { RunRecords, type RunRecord } from './run-records.ts';
import { checkSchedule, inWords, nextMoment, type Schedule } from './schedule.ts';

export interface Job {
  /** Kebab-case. */
  name: string;
  schedule: Schedule;
  /** Each moment is put off by a random part of this, milliseconds, so that a fleet does not act in step. */
  jitterMs: number;
  /** What becomes of moments that went by while the device was off or asleep: one run for all of them, or none. */
  missed: 'run' | 'skip';
  /** Ends early with the signal's reason when the app stops. One run at a time. */
  run(signal: AbortSignal): Promise<void>;
}

/** As `bowline status` shows it. Times in epoch milliseconds. */
export interface JobView extends RunRecord {
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
  /** A job began or ended. */
  onChange?(): void;
}

/**
 * The wall clock is looked at this often, milliseconds: it may have been set, and timers stand still while a machine sleeps.
 * A moment that is over by more than twice as much was missed.
 */
const LOOK_EVERY_MS = 30_000;
/** After a failure a job is tried again before its next moment, with backoff from a minute to an hour. */
const RETRY = { minMs: 30_000, baseMs: 60_000, capMs: 3_600_000 };

interface Entry {
  job: Job;
  nextAt: number | undefined;
  /** Failures in a row. */
  failures: number;
  running: Promise<void> | undefined;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #records: RunRecords;
  readonly #entries = new Map<string, Entry>();
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
    const known = this.#entries.get(job.name);
    const entry = { job, nextAt: undefined, failures: 0, running: known?.running };
    this.#entries.set(job.name, entry);
    if (!this.#wasMissed(job)) this.#plan(entry, undefined);
    else if (job.missed === 'run') this.#plan(entry, this.#now() + this.#jitter(job));
    else this.#leaveOut(entry);
    this.#arm();
  }

  remove(name: string): void {
    this.#entries.delete(name);
  }

  /** At once, beside its schedule. @throws RejectedError `unknown-job`, `job-running` */
  runNow(name: string): Promise<void> {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      const known = [...this.#entries.keys()].join(', ') || 'none';
      throw new RejectedError('unknown-job', `there is no job "${name}"; there are: ${known}`);
    }
    if (entry.running !== undefined) throw new RejectedError('job-running', `${name} is running already`);
    return this.#begin(entry);
  }

  view(): JobView[] {
    return [...this.#entries.values()].map(({ job, nextAt, running }) => ({
      name: job.name,
      schedule: inWords(job.schedule),
      state: running === undefined ? 'waiting' : 'running',
      ...(nextAt === undefined ? {} : { nextAt: Math.round(nextAt) }),
      ...this.#records.of(job.name),
    }));
  }

  /** Nothing begins any more; waits for what runs. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#stopping.abort(new CancelledError('stopping', 'the app is stopping'));
    await Promise.all([...this.#entries.values()].map(({ running }) => running));
  }

  #now(): number {
    return this.#options.clock.wallMs();
  }

  #jitter({ jitterMs }: Job): number {
    return this.#options.random() * jitterMs;
  }

  /** Moments went by between its last run and now. */
  #wasMissed({ name, schedule }: Job): boolean {
    const { startedAt } = this.#records.of(name);
    if (startedAt === undefined) return false;
    const due = nextMoment(schedule, startedAt, startedAt);
    return due !== undefined && due <= this.#now();
  }

  #leaveOut(entry: Entry): void {
    const { job } = entry;
    const record = this.#records.of(job.name);
    this.#records.note(job.name, { ...record, skipped: record.skipped + 1 });
    // From now on: an interval that counts from the last start would be due at once again.
    const next = nextMoment(job.schedule, this.#now(), this.#now());
    this.#plan(entry, next === undefined ? undefined : next + this.#jitter(job));
  }

  #plan(entry: Entry, at: number | undefined): void {
    if (at !== undefined) {
      entry.nextAt = at;
      return;
    }
    const { job } = entry;
    const next = nextMoment(job.schedule, this.#now(), this.#records.of(job.name).startedAt);
    entry.nextAt = next === undefined ? undefined : next + this.#jitter(job);
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
    const { job, running } = entry;
    const isMissed = lateMs > 2 * LOOK_EVERY_MS && job.missed === 'skip';
    if (running !== undefined || isMissed) this.#leaveOut(entry);
    else void this.#begin(entry);
  }

  /** The clock was set back: what was planned for a moment far ahead comes as soon as it would have been planned now. */
  #mindClock(entry: Entry): void {
    const { job, nextAt } = entry;
    const next = nextMoment(job.schedule, this.#now(), this.#now());
    if (nextAt !== undefined && next !== undefined && nextAt > next + job.jitterMs)
      this.#plan(entry, undefined);
  }

  #begin(entry: Entry): Promise<void> {
    const running = this.#run(entry).finally(() => {
      // It may have been set anew meanwhile.
      const present = this.#entries.get(entry.job.name);
      if (present !== undefined) present.running = undefined;
      this.#options.onChange?.();
      this.#arm();
    });
    entry.running = running;
    this.#options.onChange?.();
    return running;
  }

  async #run(entry: Entry): Promise<void> {
    const { job } = entry;
    const { clock, log, random } = this.#options;
    const before = this.#records.of(job.name);
    const record: RunRecord = { ...before, startedAt: this.#now(), runs: before.runs + 1 };
    this.#records.note(job.name, record);
    this.#plan(entry, undefined);
    const startedMs = clock.monotonicMs();
    try {
      await job.run(this.#stopping.signal);
      entry.failures = 0;
      delete record.lastError;
      this.#records.note(job.name, { ...record, endedAt: this.#now(), succeededAt: this.#now() });
      log.info({ job: job.name, tookMs: Math.round(clock.monotonicMs() - startedMs) }, 'job done');
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      const retryAt = this.#now() + backoffMs(entry.failures, random(), RETRY);
      entry.failures += 1;
      if (entry.nextAt === undefined || retryAt < entry.nextAt) this.#plan(entry, retryAt);
      const lastError = error instanceof BowlineError ? `${error.code}: ${error.message}` : String(error);
      this.#records.note(job.name, {
        ...record,
        endedAt: this.#now(),
        lastError,
        failures: record.failures + 1,
      });
      log.warn({ job: job.name, error }, 'job failed');
    }
  }
}
