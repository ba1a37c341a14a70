import type { Sample } from '@bowline/messages';
import type { Clock } from '@bowline/runtime';
import type { HandOver } from './hand-over.ts';
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
}

/** The one door: every sample that is accepted, from wherever it comes, passes here, and only here. */
export class Intake {
  readonly #options: IntakeOptions;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Into the local history, and into the buffer for the gateway. */
  accept(samples: readonly Sample[]): void {
    if (samples.length === 0) return;
    const { buffer, handOver, clock, sinks = [] } = this.#options;
    const isKept = sinks.map((sink) => sink.add(samples)).includes(true);
    if (isKept) return;
    buffer.add(samples, clock.monotonicMs());
    handOver.noticed();
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
  async acceptDurably(samples: readonly Sample[], signal: AbortSignal): Promise<void> {
    const { handOver, sinks = [] } = this.#options;
    await handOver.now(samples, signal);
    for (const sink of sinks) sink.add(samples, true);
  }

  /** The clock is right now: what still waits is corrected before it goes. @returns whether all of it is, durably. */
  synchronised(boot: KnownOffset): boolean {
    const { buffer, sinks = [] } = this.#options;
    buffer.correct(boot);
    return !sinks.map((sink) => sink.synchronised?.(boot)).includes(false);
  }
}
