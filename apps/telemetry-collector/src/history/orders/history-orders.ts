import type { HistoryRequest } from '@bowline/messages';
import type { HubNotifications, HubRequests } from '@bowline/messages/hub';
import { wait, type Clock, type Logger, type ServerClock } from '@bowline/runtime';
import { BowlineError, CancelledError, RejectedError, TransientError } from '@bowline/runtime/errors';
import { BEGINNING, type HistorySource } from './item.ts';
import type { PackedPart } from './pack-parts.ts';
import { sendParts, type PartsProgress } from './send-parts.ts';

export interface HistoryOrder {
  orderId: string;
  payload: HistoryRequest;
  state: 'received' | 'started';
  attempt: number;
}

export interface HistoryOrdersOptions {
  /** @throws RejectedError: such a request cannot be answered here. */
  source(request: HistoryRequest): HistorySource;
  /** Durable when it returns. */
  progress: {
    read(orderId: string): PartsProgress | undefined;
    write(orderId: string, progress: PartsProgress): void;
    remove(orderId: string): void;
  };
  /** Resolves when the part is on the gateway's disk. */
  send(
    payload: { orderId: string; part: number; last: boolean } & PackedPart['payload'],
    signal: AbortSignal,
  ): Promise<void>;
  report(report: HubRequests['reportOrder']['request'], signal: AbortSignal): Promise<void>;
  tell(progress: HubNotifications['progress']): void;
  /** Messages that wait in the gateway's lane `history`. */
  waiting(signal: AbortSignal): Promise<number>;
  limits(): { maxBytes: number; mostWaiting: number };
  serverClock: Pick<ServerClock, 'nowMs'>;
  clock: Clock;
  log: Pick<Logger, 'info' | 'warn'>;
}

/** Of what an answer may have on this device: with so much more nobody needs to know it exactly. */
const ENOUGH_TIMES = 8;
const MOST_ORDERS = 16;
const ASK_EVERY_MS = 1000;

interface Entry {
  order: HistoryOrder;
  phase: 'waiting' | 'running' | 'ending';
  abort: AbortController;
}

type Ending = Pick<HubRequests['reportOrder']['request'], 'status' | 'result' | 'error'>;

/**
 * Answers orders `historyRequest`, one after the other, in parts on lane `history`. Reading has no effect, so an order that was cut
 * off goes on with the part that was under way; if the server had got it already, it gets it once more under its number.
 */
export class HistoryOrders {
  readonly #options: HistoryOrdersOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #stopping = new AbortController();
  #line: Promise<void> = Promise.resolve();

  constructor(options: HistoryOrdersOptions) {
    this.#options = options;
  }

  /** @throws TransientError `history-busy`: to be offered again. */
  take(order: HistoryOrder): void {
    if (this.#entries.has(order.orderId)) return;
    if (this.#stopping.signal.aborted || this.#entries.size >= MOST_ORDERS) {
      throw new TransientError('history-busy', `${this.#entries.size} requests of history wait already`);
    }
    const entry: Entry = { order, phase: 'waiting', abort: new AbortController() };
    this.#entries.set(order.orderId, entry);
    this.#line = this.#line.then(() => this.#answer(entry));
  }

  cancel(orderId: string): 'cancelled' | 'stopping' | 'too-late' | 'unknown-order' {
    const entry = this.#entries.get(orderId);
    if (entry === undefined) return 'unknown-order';
    if (entry.phase === 'ending') return 'too-late';
    const wasRunning = entry.phase === 'running' || entry.order.state === 'started';
    entry.abort.abort(new CancelledError('cancelled', 'cancelled by an order'));
    if (!wasRunning) this.#entries.delete(orderId);
    return wasRunning ? 'stopping' : 'cancelled';
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new CancelledError('stopping', 'the app is stopping'));
    await this.#line;
  }

  async #answer(entry: Entry): Promise<void> {
    const { order } = entry;
    const { progress, log } = this.#options;
    // Cancelled while it waited: the gateway has recorded it.
    if (!this.#entries.has(order.orderId)) return;
    try {
      const ending = await this.#ending(entry);
      // Cancelled before it began: likewise.
      if (!this.#entries.has(order.orderId)) return;
      entry.phase = 'ending';
      await this.#report(order, ending);
      progress.remove(order.orderId);
      log.info({ orderId: order.orderId, ...ending }, 'a request of history has ended');
    } catch (error) {
      // The app stops, or the gateway wants no more of it: it is handed over again.
      log.warn({ orderId: order.orderId, error }, 'a request of history was left');
    } finally {
      this.#entries.delete(order.orderId);
    }
  }

  /** How the order ends; throws what is not its end. */
  async #ending(entry: Entry): Promise<Ending> {
    const { order, abort } = entry;
    const signal = AbortSignal.any([abort.signal, this.#stopping.signal]);
    const isNew = order.state === 'received';
    let expected: number | undefined;
    try {
      const source = this.#options.source(order.payload);
      if (isNew) {
        this.#mustNotBeLate(order);
        expected = await this.#mustNotBeTooMuch(order, source, signal);
      }
      signal.throwIfAborted();
      entry.phase = 'running';
      await this.#report(order, { status: 'started' });
      return { status: 'succeeded', result: await this.#send(order, source, { signal, expected }) };
    } catch (error) {
      if (this.#stopping.signal.aborted) throw error;
      if (error instanceof CancelledError) return { status: 'cancelled' };
      const code = error instanceof BowlineError ? error.code : 'history-unreadable';
      const told = { code, message: error instanceof Error ? error.message : String(error) };
      if (code === 'expired') return { status: 'expired', error: told };
      return { status: entry.phase === 'running' || !isNew ? 'failed' : 'rejected', error: told };
    }
  }

  #mustNotBeLate({ payload: { expiresAt } }: HistoryOrder): void {
    const now = this.#options.serverClock.nowMs();
    if (expiresAt === undefined || (now !== undefined && now < expiresAt)) return;
    throw new RejectedError('expired', 'the order expired before it could be answered');
  }

  #maxBytes({ payload }: HistoryOrder): number {
    const { maxBytes } = this.#options.limits();
    return Math.min(maxBytes, payload.maxBytes ?? maxBytes);
  }

  async #mustNotBeTooMuch(order: HistoryOrder, source: HistorySource, signal: AbortSignal): Promise<number> {
    const enough = ENOUGH_TIMES * this.#options.limits().maxBytes;
    const { bytes, items, advice, isMore = false } = await source.estimate(signal, enough);
    const maxBytes = this.#maxBytes(order);
    const about = isMore ? 'more than' : 'about';
    if (bytes > maxBytes) throw tooMuch(`${about} ${bytes} bytes (${items} items)`, maxBytes, advice);
    return bytes;
  }

  /** @param with.expected bytes, if they were estimated in this life. */
  async #send(
    order: HistoryOrder,
    source: HistorySource,
    { signal, expected }: { signal: AbortSignal; expected: number | undefined },
  ): Promise<object> {
    const { orderId } = order;
    const { progress, send, tell } = this.#options;
    const begin = progress.read(orderId) ?? { part: 0, cursor: BEGINNING, bytes: 0, items: 0 };
    const maxBytes = this.#maxBytes(order);
    const {
      part: parts,
      items,
      bytes,
    } = await sendParts(
      source,
      begin,
      {
        room: () => this.#room(signal),
        note: (state, sum) => {
          if (sum > maxBytes) throw tooMuch('more than was expected', maxBytes, 'ask for less');
          progress.write(orderId, state);
        },
        send: (part) => send({ orderId, ...part }, signal),
        told: ({ part, items: sent, bytes: sum }) =>
          tell({
            orderId,
            ...(expected === undefined ? {} : { percent: percentOf(sum, expected) }),
            note: `${part} parts, ${sent} items, ${sum} bytes`,
            data: { parts: part, items: sent, bytes: sum },
          }),
      },
      signal,
    );
    return { parts, items, bytes };
  }

  async #room(signal: AbortSignal): Promise<void> {
    const { waiting, limits, clock } = this.#options;
    while ((await waiting(signal)) >= limits().mostWaiting) await wait(clock, ASK_EVERY_MS, signal);
  }

  #report({ orderId, attempt }: HistoryOrder, ending: Ending): Promise<void> {
    const { report, clock } = this.#options;
    const at = Math.round(clock.wallMs());
    const begun = ending.status === 'started' ? { attempt: attempt + 1 } : {};
    return report({ orderId, at, ...begun, ...ending }, this.#stopping.signal);
  }
}

/** The last part is not all: it has to be on the gateway's disk. */
const percentOf = (bytes: number, expected: number): number =>
  Math.min(99, Math.floor((100 * bytes) / Math.max(1, expected)));

const tooMuch = (what: string, maxBytes: number, advice: string) =>
  new RejectedError(
    'history-too-large',
    `the answer would be ${what}, more than ${maxBytes} bytes: ${advice}`,
  );
