import type { History, HistoryGap } from '@bowline/history-store';
import type { Sample } from '@bowline/messages';
import { wait, type Clock, type Logger } from '@bowline/runtime';
import { BowlineError, TransientError } from '@bowline/runtime/errors';
import type { OutgoingMessage } from './core/hand-over.ts';

export interface HistoryJobOptions {
  history: Pick<History, 'nextUnsent' | 'markSent' | 'gaps' | 'gapTold'>;
  /** Resolves when all of it is on the gateway's disk, in lane `history`. */
  enqueue(messages: OutgoingMessage[], signal: AbortSignal): Promise<void>;
  /** Messages that wait in the gateway's lane `history`. */
  waiting(signal: AbortSignal): Promise<number>;
  isOnline(): boolean;
  limits(): { batchSamples: number; batchBytes: number; mostWaiting: number };
  newId(): string;
  clock: Clock;
  log: Pick<Logger, 'error'>;
}

/** How often the gateway is asked whether it has room, milliseconds. */
const ASK_EVERY_MS = 1000;

/**
 * Uploads what the history alone has: one block after the other, oldest first, and what had to be given up, as `gap`. A block is
 * marked only when the gateway has it on its disk, so a run that is cut off at any moment goes on where it was; at worst one
 * block comes twice, which the server tells by series and time (protocol, section 3). A sample that is no valid one is given up alone.
 *
 * The pace is the gateway's (`replayPerSecond`); no more is handed over than a few messages ahead of it, so what waits for long
 * stays here, where it is small.
 *
 * @returns samples that were handed over. @throws TransientError `offline`: to be tried again when the cloud is back.
 */
export async function uploadHistory(options: HistoryJobOptions, signal: AbortSignal): Promise<number> {
  const { history, newId, clock } = options;
  let handedOver = 0;
  for (;;) {
    for (const gap of history.gaps(newId)) {
      await options.enqueue([gapMessage(gap, clock)], signal);
      history.gapTold(gap);
    }
    const block = history.nextUnsent();
    if (block === undefined) return handedOver;
    await roomFor(options, signal);
    for (const samples of batches(block.samples, options.limits())) await upload(samples, options, signal);
    history.markSent(block);
    handedOver += block.samples.length;
  }
}

/** If something in it is refused, by halves: one sample that is wrong must cost neither the others nor what comes behind it. */
async function upload(
  samples: readonly Sample[],
  options: HistoryJobOptions,
  signal: AbortSignal,
): Promise<void> {
  const { enqueue, newId, clock, log } = options;
  const message = { id: newId(), sentAt: Math.round(clock.wallMs()) };
  try {
    await enqueue([{ ...message, type: 'telemetry', payload: { samples: [...samples] } }], signal);
  } catch (error) {
    if (!(error instanceof BowlineError) || error.code !== 'invalid') throw error;
    const [sample] = samples;
    if (samples.length > 1) {
      const half = Math.ceil(samples.length / 2);
      await upload(samples.slice(0, half), options, signal);
      await upload(samples.slice(half), options, signal);
    } else if (sample !== undefined) {
      const { series, at, count = 1 } = sample;
      log.error({ series, at }, `a sample of the history is refused for good: ${error.message}`);
      const gap = { messageId: newId(), series, count, fromAt: at, toAt: at };
      await enqueue([gapMessage(gap, clock)], signal);
    }
  }
}

/** @throws TransientError `offline`: what is uploaded on a schedule waits for the cloud. */
export async function roomFor(
  {
    waiting,
    isOnline,
    limits,
    clock,
  }: Pick<HistoryJobOptions, 'waiting' | 'isOnline' | 'clock'> & { limits(): { mostWaiting: number } },
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    if (!isOnline()) throw new TransientError('offline', 'the cloud is away');
    if ((await waiting(signal)) < limits().mostWaiting) return;
    await wait(clock, ASK_EVERY_MS, signal);
  }
}

function gapMessage({ messageId, series, count, fromAt, toAt }: HistoryGap, clock: Clock): OutgoingMessage {
  const what = series === '' ? {} : { series, fromAt, toAt };
  const payload = { lane: 'history', reason: 'thinned', count, ...what } as const;
  return { id: messageId, sentAt: Math.round(clock.wallMs()), type: 'gap', payload };
}

function* batches(
  samples: readonly Sample[],
  { batchSamples, batchBytes }: { batchSamples: number; batchBytes: number },
): Generator<Sample[]> {
  let batch: Sample[] = [];
  let bytes = 0;
  for (const sample of samples) {
    const size = Buffer.byteLength(JSON.stringify(sample)) + 1;
    if (batch.length > 0 && (batch.length >= batchSamples || bytes + size > batchBytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(sample);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
