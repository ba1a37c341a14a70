import type { HubClient } from '@bowline/ipc';
import type { Sample } from '@bowline/messages';
import type { Clock, Logger, ServerClock } from '@bowline/runtime';
import { v7 as newId } from 'uuid';
import { deviceMoment } from './adapters/device-moment.ts';
import { systemReaders, systemSources } from './adapters/system-sources.ts';
import type { CollectorConfig } from './config.ts';
import { Collector } from './core/collector.ts';
import { HandOver } from './core/hand-over.ts';
import { Intake, type SampleSink } from './core/intake.ts';
import { SampleBuffer } from './core/sample-buffer.ts';

export interface TelemetryOptions {
  config: CollectorConfig;
  client: Pick<HubClient, 'enqueue'>;
  serverClock: ServerClock;
  /** Told of every accepted sample beside the gateway: the local history. */
  sinks?: readonly SampleSink[];
  clock: Clock;
  log: Logger;
}

/** Everything between the sources of samples and the gateway. */
export interface Telemetry {
  /** The one door, see {@link Intake.accept}. */
  accept(samples: readonly Sample[]): void;
  /** Goes on with another configuration, without losing a sample. */
  reconfigure(config: CollectorConfig): void;
  /** Takes nothing more and hands over what is there, until `signal`. */
  stop(signal: AbortSignal): Promise<{ sampled: number; givenUp: number; lost: number }>;
}

export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { config, client, serverClock, sinks = [], clock, log } = options;
  const buffer = new SampleBuffer(config.telemetry.bufferSamples);
  const handOver = new HandOver({
    buffer,
    enqueue: (messages, signal) => client.enqueue(messages, { signal }),
    newId: () => newId(),
    clock,
    log,
    limits: config.telemetry,
    random: Math.random,
  });
  const intake = new Intake({ buffer, handOver, clock, sinks });
  const accept = (samples: readonly Sample[]) => intake.accept(samples);
  const readers = await systemReaders(config);
  const moment = deviceMoment(clock, { serverClock, ...config });
  const collector = new Collector({
    sources: systemSources(readers, config.series),
    accept,
    clock,
    moment,
    log,
  });

  return {
    accept,
    reconfigure: ({ series, telemetry }) => {
      buffer.reconfigure(telemetry.bufferSamples);
      handOver.reconfigure(telemetry);
      collector.reconfigure(systemSources(readers, series));
    },
    stop: async (signal) => {
      collector.stop();
      const lost = await handOver.stop(signal);
      const { added: sampled, givenUp } = buffer.totals;
      return { sampled, givenUp, lost };
    },
  };
}
