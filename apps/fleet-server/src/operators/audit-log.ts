import { AUDIT_START, auditHash } from '@bowline/identity';
import type { AuditEntry, AuditMark, AuditPage } from '@bowline/messages';
import type { Clock } from '@bowline/runtime';
import {
  parse,
  put,
  read,
  remove,
  within,
  type Entry,
  type ServerStore,
  type Write,
} from '@bowline/server-sdk';
import { keys } from './keys.ts';

export interface AuditLimits {
  maxBytes: number;
  /** What is older goes, milliseconds. */
  maxAgeMs: number;
}

export type NewAuditEntry = Omit<AuditEntry, 'seq' | 'at' | 'prev' | 'hash'>;

interface AuditState {
  /** What went before the oldest entry that is kept. */
  anchor: AuditMark;
  head: AuditMark;
  bytes: number;
}

/** Over its cap the log is emptied down to this part of it. */
const LOW_WATER = 0.9;
const FORGET_AT_ONCE = 64;

/**
 * What operators did: append-only, each entry sealed by a hash over itself and the one before it. The oldest are forgotten by
 * bytes and by age; the anchor keeps the place where the chain then begins.
 */
export class AuditLog {
  readonly #store: ServerStore;
  readonly #clock: Clock;
  readonly #limits: AuditLimits;
  #state: AuditState;

  constructor(store: ServerStore, clock: Clock, limits: AuditLimits) {
    this.#store = store;
    this.#clock = clock;
    this.#limits = limits;
    this.#state = read<AuditState>(store, keys.auditState) ?? stateOf(store.range(within(keys.audit)));
  }

  /**
   * Commits keep the order of calls: what is written after this call is never on disk without this entry.
   *
   * @returns its seq, its hash, and when it is on disk.
   */
  append(entry: NewAuditEntry): AuditMark & { durable: Promise<void> } {
    const { head, anchor, bytes } = this.#state;
    const { actor, ...rest } = entry;
    const record = {
      seq: head.seq + 1,
      at: this.#clock.wallMs(),
      ...(actor === undefined ? {} : { actor }),
      ...rest,
      prev: head.hash,
    };
    const mark = { seq: record.seq, hash: auditHash(record) };
    const write = put(keys.auditEntry(mark.seq), { ...record, hash: mark.hash });
    this.#state = { anchor, head: mark, bytes: bytes + sizeOf(write) };
    const forgotten = this.#forget(mark.seq);
    const durable = this.#store.write([write, ...forgotten, put(keys.auditState, this.#state)]);
    return { ...mark, durable };
  }

  /** Ascending from `after`; without it the newest, newest first, before `before`. */
  page({ after, before, limit }: { after?: number; before?: number; limit: number }): AuditPage {
    const { anchor, head } = this.#state;
    const range = within(keys.audit);
    const found =
      after === undefined
        ? { ...range, ...(before === undefined ? {} : { to: keys.auditEntry(before) }), reverse: true }
        : { ...range, from: keys.auditEntry(after + 1) };
    const entries = this.#store.range({ ...found, limit }).map(({ value }) => parse<AuditEntry>(value));
    return { entries, anchor, head };
  }

  /** @param newest stays. */
  #forget(newest: number): Write[] {
    const { maxBytes, maxAgeMs } = this.#limits;
    const oldestAt = this.#clock.wallMs() - maxAgeMs;
    let { anchor, bytes } = this.#state;
    const enough = bytes > maxBytes ? maxBytes * LOW_WATER : maxBytes;
    const writes: Write[] = [];
    const limit = bytes > maxBytes ? FORGET_AT_ONCE : 2;
    for (const { key, value } of this.#store.range({ ...within(keys.audit), limit })) {
      const { seq, at, hash } = parse<AuditEntry>(value);
      if (seq === newest || (bytes <= enough && at >= oldestAt)) break;
      writes.push(remove(key));
      anchor = { seq, hash };
      bytes -= value.length;
    }
    this.#state = { ...this.#state, anchor, bytes };
    return writes;
  }
}

const sizeOf = ({ value }: Write): number => (value instanceof Uint8Array ? value.length : 0);

/** From the entries alone, at the first start and should its record be damaged. */
function stateOf(entries: readonly Entry[]): AuditState {
  const [first, last] = [entries[0], entries.at(-1)].map((entry) => entry && parse<AuditEntry>(entry.value));
  return {
    anchor: first === undefined ? AUDIT_START : { seq: first.seq - 1, hash: first.prev },
    head: last === undefined ? AUDIT_START : { seq: last.seq, hash: last.hash },
    bytes: entries.reduce((sum, { value }) => sum + value.length, 0),
  };
}
