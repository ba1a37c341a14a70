import * as contract from '@bowline/messages/operators';
import { CancelledError, RejectedError, TransientError } from '@bowline/runtime/errors';
import { backoffMs } from '@bowline/runtime/backoff';
import type { Device, Order, StoredEvent, TelemetryNews } from '@bowline/messages';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { FleetNews, Link } from '../core/fleet-state.ts';
import { decode } from './decode.ts';

/** Nothing heard for this long, not even a comment: the connection is dead, whatever the browser believes, ms. */
const SILENT_AFTER_MS = 60_000;
/** The page tries again soon: one operator looks at it, not a fleet. */
const RETRY = { baseMs: 1_000, capMs: 15_000, minMs: 500 };
/** Characters of one event held at most. */
const LARGEST_EVENT = 4 * 1024 * 1024;

export interface LiveStreamOptions {
  open: (signal: AbortSignal) => Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
  onNews: (news: FleetNews) => void;
  /** Called each time the stream is open: from now on news come, so what was missed can be asked for. */
  onOpen: () => void;
  /** The token is no longer good; the stream has ended for good. */
  onUnauthorized: (reason: string) => void;
  now: () => number;
}

/** Reads `GET /v1/stream` for ever, re-opening it with backoff. Call the result to end it. */
export function followStream(options: LiveStreamOptions): () => void {
  const ended = new AbortController();
  void run(options, ended.signal);
  return () => ended.abort();
}

async function run(options: LiveStreamOptions, ended: AbortSignal): Promise<void> {
  const { onNews, onUnauthorized, now } = options;
  const heard: { at?: number } = {};
  for (let attempt = 0; !ended.aborted; attempt += 1) {
    const link = (kind: Link['kind'], more = {}) => {
      if (!ended.aborted) {
        onNews({ kind: 'link', link: { kind, ...(heard.at && { lastHeardAt: heard.at }), ...more } as Link });
      }
    };
    let reason = 'The server ended the stream.';
    try {
      await readOnce(options, ended, () => {
        heard.at = now();
        attempt = 0;
        link('live');
      });
    } catch (error) {
      if (ended.aborted || error instanceof CancelledError) return;
      if (error instanceof RejectedError && error.code === 'unauthorized') {
        onUnauthorized(error.message);
        return;
      }
      reason = error instanceof Error ? error.message : String(error);
    }
    const delayMs = backoffMs(attempt, Math.random(), RETRY);
    link('broken', { reason, retryAt: now() + delayMs });
    await sleep(delayMs, ended);
  }
}

async function readOnce(options: LiveStreamOptions, ended: AbortSignal, onHeard: () => void): Promise<void> {
  const { open, onNews, onOpen } = options;
  const silence = new AbortController();
  let watch = setTimeout(() => silence.abort(), SILENT_AFTER_MS);
  const signal = AbortSignal.any([ended, silence.signal]);
  const parser = createParser({
    maxBufferSize: LARGEST_EVENT,
    onEvent: (message) => {
      const news = readNews(message);
      if (news !== undefined) onNews(news);
    },
    onError: ({ message }) => onNews({ kind: 'misunderstood', reason: message }),
  });
  try {
    const reader = (await open(signal)).pipeThrough(new TextDecoderStream()).getReader();
    onHeard();
    onOpen();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(watch);
      watch = setTimeout(() => silence.abort(), SILENT_AFTER_MS);
      onHeard();
      parser.feed(value);
    }
  } catch (error) {
    if (silence.signal.aborted) {
      throw new TransientError('stream-silent', 'Nothing came from the server for a minute.', {
        cause: error,
      });
    }
    if (error instanceof TypeError) {
      throw new TransientError('unreachable', 'The connection to the server was lost.', { cause: error });
    }
    throw error;
  } finally {
    clearTimeout(watch);
  }
}

/** One event of the stream; kinds that this page does not know are ignored (they may be newer than it). */
function readNews({ event, data }: EventSourceMessage): FleetNews | undefined {
  try {
    switch (event) {
      case 'device':
        return { kind: 'device', device: decode<Device>(contract.device, JSON.parse(data), 'device') };
      case 'order':
        return { kind: 'orders', orders: [decode<Order>(contract.order, JSON.parse(data), 'order')] };
      case 'telemetry': {
        const news = decode<TelemetryNews>(contract.telemetry, JSON.parse(data), 'telemetry');
        return { kind: 'telemetry', news };
      }
      case 'event':
        return { kind: 'event', event: decode<StoredEvent>(contract.event, JSON.parse(data), 'event') };
      default:
        return undefined;
    }
  } catch (error) {
    return { kind: 'misunderstood', reason: error instanceof Error ? error.message : String(error) };
  }
}

const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
