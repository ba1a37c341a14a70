import type { Sample } from '@bowline/messages';
import type { Clock } from '@bowline/runtime';
import type { HandOver } from './hand-over.ts';
import type { SampleBuffer } from './sample-buffer.ts';

/** Whoever is told of every accepted sample beside the gateway. It must not throw: what fails there is its own to say. */
export interface SampleSink {
  add(samples: readonly Sample[]): void;
}

export interface IntakeOptions {
  buffer: SampleBuffer;
  handOver: Pick<HandOver, 'noticed'>;
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
    for (const sink of sinks) sink.add(samples);
    buffer.add(samples, clock.monotonicMs());
    handOver.noticed();
  }
}
