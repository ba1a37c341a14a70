import type { DurableQueue, JournalEntry } from '@bowline/durable-queue';
import type { DownlinkPayload } from '@bowline/messages';
import { RejectedError } from '@bowline/runtime/errors';
import type { ConfigDocument, ConfigRecords } from './config-records.ts';
import type { ConfigEnd } from './durable-steps.ts';

/** What the cloud or a person wants, and who is to be told how it ended. */
export type Wish = DocumentWish | OverrideWish;

export interface DocumentWish extends HowTried {
  document: ConfigDocument;
  /** The order's entry; absent: a person at the device. */
  entry?: JournalEntry;
  override?: undefined;
}

/** By a person: the gateway's local override as its owner has written it, under whatever document is in force by then. */
export interface OverrideWish extends HowTried {
  override: Record<string, unknown>;
  entry?: undefined;
}

/** How a change that carries the link is tried. */
export interface HowTried {
  confirmWithinMs?: number | undefined;
  /** By a person who knows that there is no link to prove it. */
  untried?: boolean | undefined;
}

type Asked = Wish & { ended(end: ConfigEnd): void };

/** Who wants what: a person at the device first, then the orders of the journal, one after the other. */
export class ConfigWishes {
  readonly #queue: Pick<DurableQueue, 'unfinishedOrders' | 'order'>;
  readonly #records: ConfigRecords;
  /** By a person at the device; one at a time. */
  #asked: Asked | undefined;

  constructor(queue: Pick<DurableQueue, 'unfinishedOrders' | 'order'>, records: ConfigRecords) {
    this.#queue = queue;
    this.#records = records;
  }

  /** A person wants a document that is kept. @throws RejectedError `unknown-config-version`, `config-busy`. */
  goBack(version: number, how: HowTried): Promise<ConfigEnd> {
    const sections = this.#records.sections(version);
    if (sections === undefined) {
      throw new RejectedError(
        'unknown-config-version',
        `no document ${version} is kept: see bowline config history`,
      );
    }
    return this.#ask({ ...how, document: { version, sections } });
  }

  /** A person has written a local override. @throws RejectedError `config-busy` */
  override(override: Record<string, unknown>, how: HowTried): Promise<ConfigEnd> {
    return this.#ask({ ...how, override });
  }

  #ask(wish: Wish): Promise<ConfigEnd> {
    if (this.#records.step.phase !== 'settled' || this.#asked !== undefined) {
      throw busy();
    }
    return new Promise((ended) => {
      this.#asked = { ...wish, ended };
    });
  }

  next(): Wish | undefined {
    if (this.#asked !== undefined) return this.#asked;
    const entry = this.#queue.unfinishedOrders().find(({ type }) => type === 'config');
    if (entry === undefined) return undefined;
    const { version, sections, confirmWithinMs } = JSON.parse(entry.payloadJson) as DownlinkPayload<'config'>;
    return { document: { version, sections }, entry, confirmWithinMs };
  }

  /** Whether its order has ended otherwise: cancelled, expired. */
  isOver({ entry }: Wish): boolean {
    return entry !== undefined && this.#queue.order(entry.orderId)?.endedAt !== undefined;
  }

  /** The person who asked is told. */
  ended(end: ConfigEnd): void {
    this.#asked?.ended(end);
    this.#asked = undefined;
  }
}

export const busy = (): RejectedError =>
  new RejectedError('config-busy', 'another change is under way: wait for its end');
