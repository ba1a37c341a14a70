import type { Event, Sample } from '@bowline/messages';
import type { Clock } from '@bowline/runtime';
import { CancelledError, ContractError, TransientError } from '@bowline/runtime/errors';
import type { Intake } from '../intake.ts';
import type { Moment } from '../sample.ts';
import type { GivenEvent, GivenSample } from '../../bodies.ts';
import type { BufferState, Pressure } from './pressure.ts';
import { OwnMoments } from './own-moments.ts';
import { stamp } from './stamp.ts';

/** An event as the gateway gets it. */
export interface EventMessage {
  id: string;
  type: 'event';
  sentAt: number;
  payload: Event;
}

/** Which events were handed in before, durably. */
export interface KeyRecord {
  known(key: string): { id: string; fingerprint: string; durable: boolean } | undefined;
  begin(key: string, event: { id: string; fingerprint: string }): void;
  durable(key: string): void;
}

export interface IngestOptions {
  intake: Intake;
  pressure: Pressure;
  bufferState(): BufferState;
  keys: KeyRecord;
  enqueue(messages: EventMessage[], signal: AbortSignal): Promise<void>;
  /** Aborts after as long as a caller is kept waiting for the disk. */
  deadline(): AbortSignal;
  newId(): string;
  moment(): Moment;
  clock: Clock;
}

/** What the users' programs hand in, whatever the way. */
export class Ingest {
  readonly #options: IngestOptions;
  readonly #moments = new OwnMoments();
  /** Events under way, by key: a repeat that comes meanwhile waits with the first. */

  readonly #underWay = new Map<string, { fingerprint: string; done: Promise<{ id: string }> }>();

  constructor(options: IngestOptions) {
    this.#options = options;
  }

  /**
   * Into the buffer.
   *
   * @returns how many of them the server will not show, for it has another one of that moment.
   * @throws TransientError `too-fast`.
   */
  samples(given: readonly GivenSample[]): number {
    return this.#options.intake.accept(this.#admit(given));
  }

  /** As {@link samples}, of a source that cannot be told to wait and is bounded by itself. */
  measured(given: readonly GivenSample[]): void {
    const { intake } = this.#options;
    intake.accept(this.#stamped(given));
  }

  /**
   * As {@link samples}, but resolves when the gateway has them on its disk.
   *
   * @throws TransientError `too-fast`, `not-durable`; what the gateway refuses.
   */
  async durableSamples(given: readonly GivenSample[]): Promise<number> {
    const { intake, deadline } = this.#options;
    const samples = this.#admit(given);
    return inTime((signal) => intake.acceptDurably(samples, signal), deadline());
  }

  /**
   * Resolves when the event is on the gateway's disk. With a key, a repeat is the same event.
   *
   * @throws TransientError `too-fast`, `not-durable`, `keys-unwritable`; ContractError `key-reused`; what the gateway refuses.
   */
  async event(given: GivenEvent, key?: string): Promise<{ id: string; repeated: boolean }> {
    if (key === undefined) {
      this.#admitEvent();
      return { id: await this.#send(this.#options.newId(), given), repeated: false };
    }
    const fingerprint = JSON.stringify(given);
    const underWay = this.#underWay.get(key);
    if (underWay !== undefined) {
      mustBeSame(key, underWay.fingerprint, fingerprint);
      return { ...(await underWay.done), repeated: true };
    }
    const done = this.#once(key, fingerprint, given);
    this.#underWay.set(key, { fingerprint, done });
    try {
      return await done;
    } finally {
      this.#underWay.delete(key);
    }
  }

  /**
   * As {@link event}, of a source that hands it in again by itself until it is durable.
   *
   * @returns what does that; each time it is the same event, of the moment at which it came first.
   */
  printed(given: GivenEvent): () => Promise<void> {
    const { newId, moment } = this.#options;
    const [id, at] = [newId(), given.at ?? Math.round(moment().at)];
    return async () => {
      this.#admitEvent();
      await this.#send(id, { ...given, at });
    };
  }

  async #once(
    key: string,
    fingerprint: string,
    given: GivenEvent,
  ): Promise<{ id: string; repeated: boolean }> {
    const { keys, newId } = this.#options;
    const known = keys.known(key);
    if (known !== undefined) mustBeSame(key, known.fingerprint, fingerprint);
    const id = known?.id ?? newId();
    if (known?.durable === true) return { id, repeated: true };
    // Before anything is kept of it.
    this.#admitEvent();
    if (known === undefined) keys.begin(key, { id, fingerprint });
    await this.#send(id, given);
    keys.durable(key);
    return { id, repeated: false };
  }

  async #send(id: string, { kind, severity, data, at }: GivenEvent): Promise<string> {
    const { enqueue, moment, deadline, clock } = this.#options;
    const payload = { kind, severity, at: at ?? Math.round(moment().at), data };
    const message: EventMessage = { id, type: 'event', sentAt: Math.round(clock.wallMs()), payload };
    await inTime((signal) => enqueue([message], signal), deadline());
    return id;
  }

  #admitEvent(): void {
    const { pressure, clock } = this.#options;
    pressure.admitEvent(clock.monotonicMs());
  }

  #admit(given: readonly GivenSample[]): Sample[] {
    const { pressure, bufferState, clock } = this.#options;
    pressure.admit(given.length, bufferState(), clock.monotonicMs());
    return this.#stamped(given);
  }

  #stamped(given: readonly GivenSample[]): Sample[] {
    const now = this.#options.moment();
    return given.map(({ at, ...each }) =>
      stamp({ ...each, at: at ?? this.#moments.next(each.series, now.at) }, now),
    );
  }
}

/** A caller is not kept waiting for ever: what is not durable in time is said to be so, though it may become it. */
async function inTime<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await work(signal);
  } catch (error) {
    if (!(error instanceof CancelledError)) throw error;
    throw notDurable(error);
  }
}

const notDurable = (cause: CancelledError) =>
  new TransientError(
    'not-durable',
    'the gateway has not stored it in time; it may do so yet: send it again, samples with the same "at", an event with the same Idempotency-Key',
    { cause },
  );

function mustBeSame(key: string, before: string, now: string): void {
  if (before !== now)
    throw new ContractError('key-reused', `Idempotency-Key ${key} stood for another event; take a new one`);
}
