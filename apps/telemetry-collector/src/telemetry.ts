import { join } from 'node:path';
import { serveNotes, type HubClient } from '@bowline/ipc';
import type { Sample } from '@bowline/messages';
import { retry, type Clock, type Logger, type ServerClock } from '@bowline/runtime';
import { CancelledError } from '@bowline/runtime/errors';
import { v7 as newId } from 'uuid';
import { deviceMoment } from './adapters/device-moment.ts';
import { EventKeys } from './adapters/event-keys.ts';
import { LeftOver } from './adapters/left-over.ts';
import { IngestListener } from './adapters/ingest-listener.ts';
import { ownReader } from './adapters/own-source.ts';
import { OtlpListener } from './adapters/otlp-listener.ts';
import { Plugins } from './adapters/plugins.ts';
import { StatsdListener } from './adapters/statsd-listener.ts';
import { systemReaders } from './adapters/system-sources.ts';
import type { CollectorConfig } from './config.ts';
import { Collector } from './core/collector.ts';
import { HandOver } from './core/hand-over.ts';
import { Ingest } from './core/ingest/ingest.ts';
import { Pressure } from './core/ingest/pressure.ts';
import { Intake, type SampleSink } from './core/intake.ts';
import { Notes } from './core/notes.ts';
import { SampleBuffer } from './core/sample-buffer.ts';
import type { KnownOffset } from './core/sample.ts';
import { SeriesNames } from './core/series-names.ts';
import { SeriesRules } from './core/series-rules.ts';
import { sourcesOf } from './core/sources.ts';

const LEFT_OVER_RETRY = { minMs: 1000, capMs: 60_000 };

export interface TelemetryOptions {
  config: CollectorConfig;
  client: Pick<HubClient, 'enqueue' | 'connected' | 'request' | 'notify' | 'onRegistered'>;
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
  /** See {@link Intake.handBack}. */
  handBack(samples: readonly Sample[]): void;
  /**
   * Goes on with another configuration, without losing a sample.
   *
   * @throws ConfigError if the socket of the ingest cannot be opened as it says.
   */
  reconfigure(config: CollectorConfig): Promise<void>;
  /** Takes nothing more and hands over what is there, until `signal`; what is left then is `kept` for the next start. */
  stop(signal: AbortSignal): Promise<{ sampled: number; givenUp: number; kept: number; lost: number }>;
}

export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { client, serverClock, sinks = [], clock, log } = options;
  let { config } = options;
  const stopping = new AbortController();
  const buffer = new SampleBuffer(bufferLimits(config));
  const leftOver = new LeftOver(join(config.stateDir, 'left-over.json'), log);
  const spare = new LeftOver(join(config.stateDir, 'waiting.json'), log);
  const enqueue = (messages: Parameters<HubClient['enqueue']>[0], signal: AbortSignal) =>
    client.enqueue(messages, { signal });
  const handOver = new HandOver({
    buffer,
    enqueue,
    newId: () => newId(),
    clock,
    log,
    limits: config.telemetry,
    spare: {
      keep: (messages) => void spare.replace(messages, mostLeftBytes(config)),
      remove: () => spare.remove(),
    },
    random: Math.random,
  });
  const notes = new Notes({ changed: () => tellNotes(), clock, log });
  const tellNotes = serveNotes(client, () => notes.view());
  const names = new SeriesNames(notes);
  const intake = new Intake({ buffer, handOver, clock, sinks, notes });
  const accept = (samples: readonly Sample[]) => void intake.accept(samples);

  const onSynchronised = async (boot: KnownOffset): Promise<boolean> => {
    const isPutRight = intake.synchronised(boot);
    log.info(boot, 'the clock is right now: samples from before are corrected');
    const sentAt = Math.round(clock.wallMs());
    const payload = { kind: 'clock-synchronised', severity: 'info', at: sentAt, data: boot };
    const message = { id: newId(), type: 'event' as const, sentAt, payload };
    try {
      await enqueue([message], stopping.signal);
      return isPutRight;
    } catch (error) {
      log.warn({ error }, 'the correction of the clock could not be handed over: the next start does');
      return false;
    }
  };
  const moment = deviceMoment(clock, { serverClock, ...config, onSynchronised, log });

  const waited = spare.read();
  if (waited.length === 0 || leftOver.add(waited, mostLeftBytes(config))) spare.remove();
  const handOverLeft = async () => {
    const messages = leftOver.read();
    for (const each of messages) {
      const attempt = () => enqueue([each], stopping.signal);
      await retry(attempt, { clock, signal: stopping.signal, backoff: LEFT_OVER_RETRY }).catch(
        (error: unknown) => {
          if (stopping.signal.aborted) throw error;
          log.error({ error }, 'what an earlier life left over is refused for good');
        },
      );
    }
    leftOver.remove();
    if (messages.length > 0)
      log.info({ messages: messages.length }, 'what an earlier life left over is handed over');
  };
  handOverLeft().catch((error: unknown) => {
    if (!stopping.signal.aborted)
      log.error({ error }, 'what an earlier life left over stays for the next one');
  });

  const readers = { ...(await systemReaders(config)), bowline: ownReader(client) };
  const sources = () =>
    sourcesOf(readers, config.series, new SeriesRules(config.seriesRules), () => clock.monotonicMs());
  const collector = new Collector({ sources: sources(), accept, clock, moment, seriesOf: names.of, log });

  const pressure = new Pressure(config.ingest, clock.monotonicMs());
  const keys = new EventKeys(join(config.stateDir, 'event-keys.sqlite'));
  const ingest = new Ingest({
    intake,
    pressure,
    bufferState: () => ({
      samples: buffer.samples,
      mostSamples: buffer.mostSamples,
      gatewayIsThere: client.connected,
    }),
    keys,
    enqueue,
    deadline: () => AbortSignal.any([stopping.signal, AbortSignal.timeout(config.ingest.durableWithinMs)]),
    newId: () => newId(),
    moment,
    clock,
  });
  const local = new IngestListener(ingest, log);
  const otlp = new OtlpListener(ingest, names, clock, log);
  const statsd = new StatsdListener(ingest, names, clock, log);
  const plugins = new Plugins({ ingest, stateDir: config.stateDir, clock, log });
  const listen = async () => {
    await local.configure(config.ingest);
    await otlp.configure(config);
    await statsd.configure(config.statsd);
    await plugins.configure(config.plugins);
  };
  await listen();

  return {
    accept,
    handBack: (samples) => intake.handBack(samples),
    reconfigure: async (next) => {
      config = next;
      buffer.reconfigure(bufferLimits(config));
      handOver.reconfigure(config.telemetry);
      collector.reconfigure(sources());
      pressure.reconfigure(config.ingest);
      await listen();
    },
    stop: async (signal) => {
      collector.stop();
      // What plug-ins still print is taken; who is asked to wait for the disk is told after that.
      await Promise.race([plugins.stop(), aborted(signal)]);
      stopping.abort(new CancelledError('stopping', 'the collector is stopping'));
      await Promise.all([local.close(), otlp.close(), statsd.close()]);
      keys.close();
      const left = await handOver.stop(signal);
      const messages = handOver.leftOver();
      const isKept = messages.length === 0 || leftOver.add(messages, mostLeftBytes(config));
      if (isKept) spare.remove();
      const { added: sampled, givenUp } = buffer.totals;
      return { sampled, givenUp, kept: isKept ? left : 0, lost: isKept ? 0 : left };
    },
  };
}

const bufferLimits = ({ telemetry: { bufferSamples, bufferBytes } }: CollectorConfig) => ({
  samples: bufferSamples,
  bytes: bufferBytes,
});

/** A whole buffer in messages, beside what an earlier life has left. */
const mostLeftBytes = ({ telemetry: { bufferBytes } }: CollectorConfig): number => 3 * bufferBytes;

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
