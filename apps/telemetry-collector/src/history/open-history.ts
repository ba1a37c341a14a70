import { join } from 'node:path';
import { History } from '@bowline/history-store';
import { reportOrder, serveJobs, type HubClient } from '@bowline/ipc';
import type { History as HistoryPart, HistoryRequest, Sample } from '@bowline/messages';
import { retry, wait, type Clock, type Logger, type ServerClock } from '@bowline/runtime';
import { RejectedError, TransientError } from '@bowline/runtime/errors';
import { Scheduler } from '@bowline/scheduler';
import { v7 as newId } from 'uuid';
import type { CollectorConfig } from '../config.ts';
import type { SampleSink } from '../core/intake.ts';
import type { OutgoingMessage } from '../core/hand-over.ts';
import { roomFor, uploadHistory } from '../history-job.ts';
import { answerLocally } from './local-history.ts';
import { HistoryOrders } from './orders/history-orders.ts';
import { journalSource } from './orders/journal-source.ts';
import { logSource } from './orders/log-source.ts';
import { progressFiles } from './orders/progress-files.ts';
import { telemetrySource } from './orders/telemetry-source.ts';
import { Recorder } from './recorder.ts';
import { Spill } from './spill.ts';
import { LogUploads } from './uploads/log-uploads.ts';
import { uploadStates } from './uploads/upload-states.ts';

export interface LocalHistoryOptions {
  config: CollectorConfig;
  client: HubClient;
  serverClock: ServerClock;
  /** Gives samples that the history refused to the gateway. */
  handBack(samples: readonly Sample[]): void;
  clock: Clock;
  log: Logger;
}

/** The history of this device: recorded, uploaded, asked. */
export interface LocalHistory {
  sink: SampleSink;
  /** The state of the link to the cloud, as the gateway tells it. */
  linkIs(state: string): void;
  reconfigure(config: CollectorConfig): void;
  stop(): Promise<void>;
}

const JOB = 'history-upload';
/** A gateway that is away for less is being started anew. */
const GATEWAY_RESTARTS_MS = 10_000;
const RETRY = { minMs: 20, baseMs: 100, capMs: 2000 };

/** @throws ConfigError `history-newer`, `schedule-invalid`; TransientError `history-refused`: the disk has no room for the file. */
export function openHistory(options: LocalHistoryOptions): LocalHistory {
  const { client, serverClock, handBack, clock, log } = options;
  let { config } = options;
  const stopping = new AbortController();
  const event = (kind: string, severity: 'info' | 'warning' | 'error', data: Record<string, unknown>) => {
    const at = Math.round(clock.wallMs());
    const message = {
      id: newId(),
      type: 'event' as const,
      sentAt: at,
      payload: { kind, severity, at, data },
    };
    client.enqueue([message], { signal: stopping.signal }).catch((error: unknown) => {
      log.warn({ error, kind }, 'an event could not be handed over');
    });
  };
  const history = new History({
    folder: join(config.stateDir, 'history'),
    retention: config.history,
    reserveBytes: config.history.reserveBytes,
    mostSeries: config.history.mostSeries,
    onIncident: (incident) => {
      log.error({ ...incident }, 'the history was damaged: what could be read of it has been saved');
      event('history-damaged', 'error', { ...incident });
    },
    onDamagedBlock: (block) => {
      log.error({ ...block }, 'a block of the history was damaged and is left out');
      event('history-block-damaged', 'warning', { ...block });
    },
  });

  let link = 'offline';
  const isOnline = () => client.connected && link === 'online';
  const reach = () => ({ online: isOnline(), gateway: client.connected });
  const spill = new Spill(
    () => ({
      afterMs: config.history.spillAfterMs,
      gatewayAfterMs: Math.max(GATEWAY_RESTARTS_MS, config.telemetry.commitMs),
    }),
    clock.monotonicMs(),
  );
  const recorder = new Recorder({
    history,
    spill,
    limits: config.history,
    reach,
    serverMs: () => serverClock.nowMs(),
    handBack,
    clock,
    log,
  });

  const scheduler = new Scheduler({
    file: join(config.stateDir, 'jobs.json'),
    clock,
    log,
    random: Math.random,
    onChange: () => tellJobs(),
  });
  const tellJobs = serveJobs(client, scheduler);
  /** In the gateway's lane `history`; asked again while the gateway is away. */
  const waiting = async (signal: AbortSignal) => {
    const { queue } = await retry(() => client.request('status', {}, { signal }), {
      clock,
      signal,
      backoff: RETRY,
    });
    return queue.lanes['history']?.messages ?? 0;
  };
  const upload = async (signal: AbortSignal) => {
    recorder.commit();
    if (!isOnline()) {
      if (history.stats().unsentSamples === 0) return;
      throw new TransientError('offline', 'the cloud is away');
    }
    const samples = await uploadHistory(
      {
        history,
        enqueue: (messages: OutgoingMessage[], until) =>
          client.enqueue(messages, { signal: until, past: true }),
        waiting,
        isOnline,
        limits: () => ({ ...config.telemetry, mostWaiting: config.history.uploadAhead }),
        newId: () => newId(),
        clock,
        log,
      },
      signal,
    );
    if (samples > 0) log.info({ samples }, 'what the history alone had is handed over');
  };
  const plan = () => {
    const { uploadEveryMs, uploadJitterMs } = config.history;
    scheduler.set({
      name: JOB,
      schedule: { everyMs: uploadEveryMs },
      jitterMs: uploadJitterMs,
      missed: 'run',
      run: upload,
    });
  };
  plan();
  const sendPart = (payload: HistoryPart, signal: AbortSignal) => {
    const message = { id: newId(), type: 'history' as const, sentAt: Math.round(clock.wallMs()), payload };
    return client.enqueue([message], { signal });
  };
  const logUploads = new LogUploads({
    scheduler,
    source: (request) => sourceOf(request),
    state: uploadStates(join(config.stateDir, 'log-uploads')),
    room: (signal) =>
      roomFor(
        { waiting, isOnline, clock, limits: () => ({ mostWaiting: config.history.uploadAhead }) },
        signal,
      ),
    send: sendPart,
    newId: () => newId(),
    nowMs: () => Math.round(clock.wallMs()),
    uploaded: (name, items) => items > 0 && log.info({ upload: name, items }, 'a log is uploaded'),
  });
  logUploads.plan(config.history.uploads);
  const uploadSoon = () =>
    wait(clock, Math.random() * config.history.uploadJitterMs, stopping.signal)
      .then(() => scheduler.runNow(JOB))
      // It runs already, or the app stops; what fails is tried again by the scheduler.
      .catch(() => undefined);

  client.handle('localHistory', (request) => answerLocally(history, recorder, request));

  const orders = new HistoryOrders({
    source: (request) => sourceOf(request),
    progress: progressFiles(join(config.stateDir, 'history-orders')),
    send: sendPart,
    report: (report, signal) => reportOrder(client, clock, report, signal),
    tell: (progress) => void client.notify('progress', progress),
    waiting,
    limits: () => ({ maxBytes: config.history.requestBytes, mostWaiting: config.history.uploadAhead }),
    serverClock,
    clock,
    log,
  });
  const sourceOf = (request: HistoryRequest) => {
    if (request.kind === 'telemetry') {
      recorder.commit();
      return telemetrySource(history, request);
    }
    const { journalCommand } = config.history;
    if (request.kind === 'journal' && journalCommand.length > 0) {
      return journalSource(journalCommand, request);
    }
    if (request.kind === 'logs' && config.logDir !== undefined) return logSource(config.logDir, request);
    throw new RejectedError('unsupported', `this device does not hand out what is of kind ${request.kind}`);
  };
  client.handle('order', ({ orderId, payload, state, attempt, serverTime }) => {
    if (serverTime !== undefined) serverClock.told(serverTime);
    orders.take({ orderId, payload: payload as HistoryRequest, state, attempt });
    return {};
  });
  client.handle('cancelOrder', ({ orderId }) => ({ outcome: orders.cancel(orderId) }));

  return {
    sink: recorder,
    linkIs: (state) => {
      const was = link;
      link = state;
      spill.heard(reach(), clock.monotonicMs());
      if (was !== 'online' && state === 'online') void uploadSoon();
    },
    reconfigure: (next) => {
      config = next;
      const { reserveBytes, mostSeries } = config.history;
      history.reconfigure({ retention: config.history, reserveBytes, mostSeries });
      recorder.reconfigure(config.history);
      plan();
      logUploads.plan(config.history.uploads);
    },
    stop: async () => {
      stopping.abort();
      await orders.stop();
      await scheduler.stop();
      recorder.stop();
      history.close();
    },
  };
}
