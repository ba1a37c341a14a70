import type { History, HistoryGap } from '@bowline/history-store';
import type { Sample } from '@bowline/messages';
import { wait, type Clock } from '@bowline/runtime';
import { TransientError } from '@bowline/runtime/errors';
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
}

/** How often the gateway is asked whether it has room, milliseconds. */
const ASK_EVERY_MS = 1000;

/**
 * Uploads what the history alone has: one block after the other, oldest first, and what had to be given up, as `gap`. A block is
 * marked only when the gateway has it on its disk, so a run that is cut off at any moment goes on where it was; at worst one
 * block comes twice, which the server tells by series and time (protocol, section 3).
 *
 * The pace is the gateway's (`replayPerSecond`); no more is handed over than a few messages ahead of it, so what waits for long
 * stays here, where it is small.
 *
 * @returns samples that were handed over. @throws TransientError `offline`: to be tried again when the cloud is back.
 */
export async function uploadHistory(options: HistoryJobOptions, signal: AbortSignal): Promise<number> {
  const { history, enqueue, newId, clock } = options;
  let handedOver = 0;
  for (;;) {
    for (const gap of history.gaps(newId)) {
      await enqueue([gapMessage(gap, clock)], signal);
      history.gapTold(gap);
    }
    const block = history.nextUnsent();
    if (block === undefined) return handedOver;
    await roomFor(options, signal);
    for (const samples of batches(block.samples, options.limits())) {
      const sentAt = Math.round(clock.wallMs());
      await enqueue([{ id: newId(), sentAt, type: 'telemetry', payload: { samples } }], signal);
    }
    history.markSent(block);
    handedOver += block.samples.length;
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
