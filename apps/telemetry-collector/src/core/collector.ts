import type { Sample } from '@bowline/messages';
import type { Clock, Logger, Timer } from '@bowline/runtime';
import { toSample, type Moment, type Reading } from './sample.ts';
import type { seriesName } from './series-name.ts';
import { Schedule, type Timing } from './schedule.ts';

/** A group of series that is read at once. */
export interface Source extends Timing {
  read(): Promise<Reading[]>;
}

export interface CollectorOptions {
  sources: readonly Source[];
  accept(samples: readonly Sample[]): void;
  clock: Clock;
  /** What is known of this moment. */
  moment(): Moment;
  /** How series are called. */
  seriesOf?: typeof seriesName;
  log: Pick<Logger, 'warn'>;
}

/** Reads each source when it is due and passes its samples on. One that hangs holds up no other. */
export class Collector {
  readonly #options: CollectorOptions;
  #sources: readonly Source[];
  #schedule: Schedule;
  readonly #reading = new Map<string, Promise<void>>();
  readonly #failing = new Set<string>();
  #timer: Timer | undefined;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#sources = options.sources;
    this.#schedule = new Schedule(options.sources, options.clock.monotonicMs());
    this.#arm();
  }

  /** Reads these from now on, at their intervals. */
  reconfigure(sources: readonly Source[]): void {
    this.stop();
    this.#sources = sources;
    this.#schedule = new Schedule(sources, this.#options.clock.monotonicMs());
    this.#arm();
  }

  /** Reads no more; what is being read is not waited for. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    const { clock } = this.#options;
    const inMs = this.#schedule.nextInMs(clock.monotonicMs());
    if (inMs !== undefined) this.#timer = clock.after(inMs, () => this.#tick());
  }

  #tick(): void {
    const due = this.#schedule.takeDue(this.#options.clock.monotonicMs());
    for (const source of this.#sources) {
      if (!due.includes(source.name) || this.#reading.has(source.name)) continue;
      const reading = this.#read(source).finally(() => this.#reading.delete(source.name));
      this.#reading.set(source.name, reading);
    }
    this.#arm();
  }

  async #read({ name, read }: Source): Promise<void> {
    const { accept, moment, seriesOf, log } = this.#options;
    let readings: Reading[];
    try {
      readings = await read();
    } catch (error) {
      // Said once, not every interval: a sensor that is broken stays broken.
      if (!this.#failing.has(name)) log.warn({ source: name, error }, 'cannot be read');
      this.#failing.add(name);
      return;
    }
    this.#failing.delete(name);
    const now = moment();
    const samples = readings
      .map((reading) => toSample(reading, now, seriesOf))
      .filter((sample): sample is Sample => sample !== undefined);
    accept(samples);
  }
}
