import type {
  Event,
  History,
  HistoryUploadSummary,
  SeriesSummary,
  StoredEvent,
  StoredSample,
  Telemetry,
} from '@bowline/messages';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ServerStore } from '../store/server-store.ts';
import { DeviceClocks } from './device-clocks.ts';
import { joinParts, type HistoryAnswer } from './history-answer.ts';
import type { LoggedRecord, LoggedMessage, UplinkLog } from '../uplink/uplink-log.ts';

type Sample = Telemetry['samples'][number];

/** So many records are read before others get their turn. */
const RECORDS_A_TURN = 8;
/** A sample cannot be newer than the record that brought it, but for a device whose clock is this far ahead. */
const CLOCK_SLACK_MS = 3600_000;
const SAMPLE_LANES = ['telemetry', 'history'] as const;

/** What operators read out of the uplink log: nothing of it is kept twice. */
export class DeviceViews {
  readonly #log: UplinkLog;
  readonly #clocks: DeviceClocks;

  constructor(log: UplinkLog, store: ServerStore) {
    this.#log = log;
    this.#clocks = new DeviceClocks(store);
  }

  /** Samples of a series with from ≤ at < to, ascending, one for each moment: the first `limit`, without `from` the last. */
  async samples(
    deviceId: string,
    { series, from, to = Infinity, limit }: { series: string; from?: number; to?: number; limit: number },
  ): Promise<StoredSample[]> {
    const found = new Map<number, StoredSample>();
    const visit = (sample: Sample) => {
      if (sample.series !== series || sample.at < (from ?? 0) || sample.at >= to) return;
      if (!found.has(sample.at)) found.set(sample.at, storedSample(sample));
    };
    await this.#eachSample(deviceId, visit, (from ?? 0) - CLOCK_SLACK_MS);
    const sorted = [...found.values()].toSorted((a, b) => a.at - b.at);
    return from === undefined ? sorted.slice(-limit) : sorted.slice(0, limit);
  }

  /** Every series that is still held, with its newest sample. */
  async series(deviceId: string): Promise<SeriesSummary[]> {
    const last = new Map<string, Sample>();
    await this.#eachSample(deviceId, (sample) => {
      const known = last.get(sample.series);
      if (known === undefined || known.at < sample.at) last.set(sample.series, sample);
    });
    return [...last.values()]
      .toSorted((a, b) => (a.series < b.series ? -1 : 1))
      .map(({ series, unit, at, value, quality }) => ({
        series,
        ...(unit === undefined ? {} : { unit }),
        last: { at, value, ...(quality === undefined ? {} : { quality }) },
      }));
  }

  /** What came in answer to an order `historyRequest`, out of what is kept of lane `history`. @param since when it was given */
  async historyAnswer(deviceId: string, orderId: string, since = 0): Promise<HistoryAnswer> {
    const parts = new Map<number, History>();
    for await (const { messages, receivedAt } of this.#records(deviceId, 'history')) {
      if (receivedAt < since) break;
      for (const { type, payload } of messages.toReversed()) {
        if (type !== 'history' || payload['orderId'] !== orderId) continue;
        const part = payload as unknown as History;
        // From the newest back: of a part that came twice the later one counts.
        if (!parts.has(part.part)) parts.set(part.part, part);
      }
    }
    return joinParts(parts);
  }

  /** What the device has uploaded of its logs by itself, as far as it is kept; newest first. */
  async uploads(deviceId: string): Promise<HistoryUploadSummary[]> {
    const found = new Map<string, { summary: HistoryUploadSummary; numbers: Set<number>; last?: number }>();
    for await (const { messages, receivedAt } of this.#records(deviceId, 'history')) {
      for (const { type, payload } of messages.toReversed()) {
        const { orderId, upload, part, last } = payload as unknown as History;
        if (type !== 'history' || upload === undefined) continue;
        const summary = { uploadId: orderId, ...upload, receivedAt, parts: 0, complete: false };
        const entry = found.get(orderId) ?? { summary, numbers: new Set<number>() };
        found.set(orderId, entry);
        entry.numbers.add(part);
        if (last) entry.last ??= part;
      }
    }
    return [...found.values()].map(({ summary, numbers, last }) => ({
      ...summary,
      parts: numbers.size,
      complete: last !== undefined && numbers.size === last + 1,
    }));
  }

  /** Newest first. The id is what a message is known by (protocol, section 2): one that came again under another seq is shown once. */
  async events(deviceId: string, limit: number): Promise<StoredEvent[]> {
    const events = new Map<string, StoredEvent>();
    for await (const { messages, receivedAt } of this.#records(deviceId, 'events')) {
      for (const message of messages.toReversed())
        events.set(message.id, storedEvent(deviceId, message, receivedAt));
      if (events.size >= limit) break;
    }
    return [...events.values()].slice(0, limit);
  }

  async #eachSample(deviceId: string, visit: (sample: Sample) => void, receivedSince = 0): Promise<void> {
    const corrected = this.#clocks.correction(deviceId);
    for (const lane of SAMPLE_LANES) {
      for await (const { messages, receivedAt } of this.#records(deviceId, lane)) {
        if (receivedAt < receivedSince) break;
        for (const { type, payload } of messages) {
          if (type !== 'telemetry') continue;
          for (const sample of (payload as unknown as Telemetry).samples) visit(corrected(sample));
        }
      }
    }
  }

  /** Backwards in time; no snapshot is held between two records. */
  async *#records(deviceId: string, lane: 'events' | 'telemetry' | 'history'): AsyncGenerator<LoggedRecord> {
    let record = this.#log.recordBefore(deviceId, lane);
    for (let count = 1; record !== undefined; count += 1) {
      yield record;
      if (count % RECORDS_A_TURN === 0) await nextTurn();
      record = this.#log.recordBefore(deviceId, lane, record.key);
    }
  }
}

function storedSample({ at, value, unit, quality, count, min, max }: Sample): StoredSample {
  return {
    at,
    value,
    ...(unit === undefined ? {} : { unit }),
    ...(quality === undefined ? {} : { quality }),
    ...(count === undefined ? {} : { count }),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
  };
}

/** What stands on lane `events`, as an event: reports of other types get a kind of their own. */
export function storedEvent(
  deviceId: string,
  { id, type, sentAt, payload }: LoggedMessage,
  receivedAt: number,
): StoredEvent {
  if (type === 'event') {
    const { kind, severity, at, data } = payload as unknown as Event;
    return { id, deviceId, kind, severity, at, receivedAt, data };
  }
  const kind = type === 'gap' ? 'gap' : 'config-report';
  const severity = type === 'gap' ? 'warning' : 'info';
  return { id, deviceId, kind, severity, at: sentAt, receivedAt, data: payload };
}
