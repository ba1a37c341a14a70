import type { Sample } from '@bowline/messages';
import type { Clock } from '@bowline/runtime';
import type { HandOver } from './hand-over.ts';
import type { Notes } from './notes.ts';
import type { SampleBuffer } from './sample-buffer.ts';
import type { KnownOffset } from './sample.ts';

/** Whoever is told of every accepted sample beside the gateway. It must not throw: what fails there is its own to say. */
export interface SampleSink {
  /**
   * @param isHandedOver the gateway has them on its disk.
   * @returns true: the sink keeps them and hands them over itself, later. Nobody else is to do so.
   */
  add(samples: readonly Sample[], isHandedOver?: boolean): boolean | void;
  /**
   * From now on it is known when the `unsynchronised` samples of this boot were: see `corrected`.
   *
   * @returns false: not all that it holds is put right durably yet.
   */
  synchronised?(boot: KnownOffset): boolean;
}

export interface IntakeOptions {
  buffer: SampleBuffer;
  handOver: Pick<HandOver, 'noticed' | 'now'>;
  clock: Clock;
  /** The local history. */
  sinks?: readonly SampleSink[];
  notes: Pick<Notes, 'note'>;
}

/** Series of which the last sample is remembered. */
const MOST_REMEMBERED = 20_000;

/** The one door: every sample that is accepted, from wherever it comes, passes here, and only here. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #last = new Map<string, Pick<Sample, 'at' | 'value'>>();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /**
   * Into the local history, and into the buffer for the gateway.
   *
   * @returns how many of them the server will not show, see {@link #ofSameMoment}.
   */
  accept(samples: readonly Sample[]): number {
    if (samples.length === 0) return 0;
    const ofSameMoment = this.#ofSameMoment(samples);
    const { buffer, handOver, clock, sinks = [] } = this.#options;
    const isKept = sinks.map((sink) => sink.add(samples)).includes(true);
    if (isKept) return ofSameMoment;
    buffer.add(samples, clock.monotonicMs());
    handOver.noticed();
    return ofSameMoment;
  }

  /** Samples that a sink kept and cannot keep after all: into the buffer for the gateway. */
  handBack(samples: readonly Sample[]): void {
    const { buffer, handOver, clock } = this.#options;
    buffer.add(samples, clock.monotonicMs());
    handOver.noticed();
  }

  /**
   * As {@link accept}, but resolves only when the gateway has them on its disk. They go at once, beside what waits in the
   * buffer; the history has them as soon as they are durable.
   *
   * @throws as `enqueue` of the hub's client does. Some of them may be durable all the same.
   */
  async acceptDurably(samples: readonly Sample[], signal: AbortSignal): Promise<number> {
    const { handOver, sinks = [] } = this.#options;
    const ofSameMoment = this.#ofSameMoment(samples);
    await handOver.now(samples, signal);
    for (const sink of sinks) sink.add(samples, true);
    return ofSameMoment;
  }

  /**
   * Samples that have series and moment of the one before and another value: to the server that is one sample (protocol, section
   * 3), of which it shows the first. A repeat is none.
   */
  #ofSameMoment(samples: readonly Sample[]): number {
    let found = 0;
    for (const { series, at, value } of samples) {
      const last = this.#last.get(series);
      if (last?.at !== at) {
        if (last === undefined && this.#last.size >= MOST_REMEMBERED) this.#last.clear();
        this.#last.set(series, { at, value });
      } else if (last.value !== value) {
        found += 1;
        const moment = new Date(at).toISOString();
        this.#options.notes.note(
          'same-moment',
          series,
          `series ${series} has more than one value of ${moment}; the server shows the first: give each its own "at"`,
        );
      }
    }
    return found;
  }

  /** The clock is right now: what still waits is corrected before it goes. @returns whether all of it is, durably. */
  synchronised(boot: KnownOffset): boolean {
    const { buffer, sinks = [] } = this.#options;
    buffer.correct(boot);
    return !sinks.map((sink) => sink.synchronised?.(boot)).includes(false);
  }
}
