import type { DurableQueue, JournalEntry, NewMessage, WriteBatch } from '@bowline/durable-queue';
import type { UplinkPayload } from '@bowline/messages';
import { checkOutgoing } from '@bowline/messages/outgoing';
import { changedKeys, wait, type Clock, type Logger } from '@bowline/runtime';
import { BowlineError } from '@bowline/runtime/errors';
import type { OrderDesk } from '../dispatcher/order-desk.ts';
import type { OrderReport } from '../dispatcher/order-state.ts';
import { newEvent, newMessage } from '../sender/new-message.ts';
import type { ConfigDocument, ConfigRecords } from './config-records.ts';
import { cut, MOST_ERRORS, sentenceOf } from './config-refusal.ts';
import {
  transition,
  type ConfigError,
  type ConfigStep,
  type ConfigStepEvent,
  type OverrideTrial,
} from './config-step.ts';

export interface DurableStepsPorts {
  queue: Pick<DurableQueue, 'commit' | 'order'>;
  records: ConfigRecords;
  desk: Pick<OrderDesk, 'report'>;
  clock: Clock;
  log: Logger;
  keepDocuments(): number;
  /** Something new is in the outbox. */
  stored(): void;
}

/** How a document ended. */
export interface ConfigEnd {
  version: number;
  status: 'applied' | 'unchanged' | 'rejected' | 'rolledBack';
  errors: ConfigError[];
  /** A link was needed to keep it. */
  tried?: boolean;
  /** A key of the local override takes effect when the gateway starts. */
  restarts?: boolean;
}

/** How a document ends for whoever asked for it, and for the cloud. */
export interface Ending {
  version: number;
  report: Report;
  status: UplinkPayload<'configReport'>['status'];
  errors: readonly ConfigError[];
}

type Report = Omit<OrderReport, 'at'>;
type Also = Pick<WriteBatch, 'config' | 'enqueue'>;

const GATEWAY = 'ws-gateway';
/** A refusal by the store, or an order whose time is not known yet: tried again after this. */
export const TRY_AGAIN_MS = 5000;
/** Refusals of the store that go away by themselves. */
const WAITED_FOR = ['lane-full', 'disk-full', 'store-busy'];

/** Makes durable where the device stands with a document, in one transaction with what that means for its order and the cloud. */
export class DurableSteps {
  readonly #ports: DurableStepsPorts;

  constructor(ports: DurableStepsPorts) {
    this.#ports = ports;
  }

  /** `begun`: with the document itself, and the order's `started`. */
  async begin(
    event: Extract<ConfigStepEvent, { type: 'begun' }>,
    document: ConfigDocument | undefined,
    entry: JournalEntry | undefined,
  ): Promise<void> {
    const { records } = this.#ports;
    const next = transition(records.step, event);
    if (next === records.step) return;
    const config = this.#writesOf(next, document, 'applying');
    if (entry === undefined) await this.#durably(() => this.#ports.queue.commit({ config }));
    else await this.start(entry, { config });
    records.wrote(config);
  }

  async move(event: ConfigStepEvent): Promise<void> {
    const { records, queue } = this.#ports;
    const next = transition(records.step, event);
    if (next === records.step) return;
    const config = this.#writesOf(next);
    await this.#durably(() => queue.commit({ config }));
    records.wrote(config);
  }

  /** Where the device stands at the end of what is under way, the order's end and the report to the cloud. @returns undefined if nothing is under way. */
  async finish(event: ConfigStepEvent, report: Report): Promise<ConfigEnd | undefined> {
    const { records, queue } = this.#ports;
    const { step } = records;
    if (step.phase === 'settled') return undefined;
    const errors = step.phase === 'returning' ? step.errors : [];
    const status = step.phase === 'returning' ? 'rolledBack' : 'applied';
    const entry = step.orderId === undefined ? undefined : queue.order(step.orderId);
    const ending = { version: step.version, report, status, errors } as const;
    const writes = this.#writesOf(transition(step, event));
    if (step.override === undefined) await this.#end(entry, ending, writes);
    else await this.#store(writes, this.#overrideEvent(step.override, status, errors));
    return { version: step.version, status, errors: [...errors], tried: step.needsLink };
  }

  /** The end of a document that has not been under way. @param renumbered the one in force under another number: no app hears of it. */
  async end(entry: JournalEntry | undefined, ending: Ending, renumbered?: ConfigDocument): Promise<void> {
    const writes =
      renumbered === undefined
        ? undefined
        : this.#writesOf({ phase: 'settled', version: renumbered.version }, renumbered, 'applied');
    await this.#end(entry, ending, writes);
  }

  async start(entry: JournalEntry, also: Also = {}): Promise<void> {
    await this.#report(entry, { status: 'started', attempt: entry.attempt + 1 }, also);
  }

  /** No document is nothing to keep. */
  #writesOf(step: ConfigStep, document?: ConfigDocument, outcome: 'applying' | 'applied' = 'applied') {
    const { records, keepDocuments, clock } = this.#ports;
    const kept =
      document === undefined || document.version === 0
        ? undefined
        : { ...document, at: clock.wallMs(), outcome };
    return records.move(step, keepDocuments(), kept);
  }

  async #end(
    entry: JournalEntry | undefined,
    { version, report, status, errors }: Ending,
    config: NonNullable<WriteBatch['config']> = {},
  ): Promise<void> {
    await this.#store(config, this.#reportOf(version, status, errors), (also) =>
      entry === undefined ? this.#ports.queue.commit(also) : this.#report(entry, report, also),
    );
  }

  async #store(
    config: NonNullable<WriteBatch['config']>,
    message: NewMessage,
    commit: (also: Also) => Promise<unknown> = (also) => this.#ports.queue.commit(also),
  ): Promise<void> {
    const { records, stored } = this.#ports;
    await this.#durably(() => commit({ config, enqueue: [{ lane: 'events', messages: [message] }] }));
    records.wrote(config);
    stored();
  }

  /** The cloud hears that, and where, not what: the keys are the device's own. */
  #overrideEvent(
    { from, to }: OverrideTrial,
    status: Ending['status'],
    errors: readonly ConfigError[],
  ): NewMessage {
    const keys = changedKeys(from, to).map((path) => path.join('.'));
    const data = { app: GATEWAY, status, keys, ...(errors.length === 0 ? {} : { why: sentenceOf(errors) }) };
    const severity = status === 'applied' ? 'info' : 'warning';
    return newEvent('config-override', severity, data, this.#ports.clock.wallMs());
  }

  #reportOf(version: number, status: Ending['status'], errors: readonly ConfigError[]): NewMessage {
    const { records, clock } = this.#ports;
    const report: UplinkPayload<'configReport'> = {
      version,
      status,
      hash: records.hash,
      ...(records.setHash === undefined ? {} : { setHash: records.setHash }),
      ...(errors.length === 0 ? {} : { errors: errors.slice(0, MOST_ERRORS).map(cut) }),
    };
    return newMessage('configReport', checkOutgoing('configReport', report), clock.wallMs());
  }

  async #report({ orderId }: JournalEntry, report: Report, also: Also): Promise<void> {
    const { desk, clock } = this.#ports;
    await desk.report(GATEWAY, orderId, { ...report, at: clock.wallMs() }, also);
  }

  /** A full store makes it wait. */
  async #durably(write: () => Promise<unknown>): Promise<void> {
    const { clock, log } = this.#ports;
    for (;;) {
      try {
        return void (await write());
      } catch (error) {
        if (!(error instanceof BowlineError) || !WAITED_FOR.includes(error.code)) throw error;
        log.warn({ code: error.code }, 'a configuration waits for room in the store');
        await wait(clock, TRY_AGAIN_MS);
      }
    }
  }
}
