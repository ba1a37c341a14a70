import type { Entry } from './environment.ts';
import { openRecord } from './record.ts';

/** What a copy of a store reads from. */
export interface SourceRecords {
  get(key: Buffer): Buffer | undefined;
  range(from: Buffer, to: Buffer): Iterable<Entry>;
}

/**
 * The records of a store whose tree can be walked but has lost or spoilt some of them, with those put in their place that
 * were found lying about in the file: a page that is damaged in one place still holds the others of its records.
 */
export class MergedRecords implements SourceRecords {
  readonly #tree: SourceRecords;
  readonly #carved: SourceRecords;

  constructor(tree: SourceRecords, carved: SourceRecords) {
    this.#tree = tree;
    this.#carved = carved;
  }

  get(key: Buffer): Buffer | undefined {
    const record = this.#tree.get(key);
    return record !== undefined && isWhole({ key, record }) ? record : (this.#carved.get(key) ?? record);
  }

  *range(from: Buffer, to: Buffer): Generator<Entry> {
    const carved = this.#carved.range(from, to)[Symbol.iterator]();
    let found = carved.next();
    for (const entry of this.#tree.range(from, to)) {
      for (; !found.done && found.value.key.compare(entry.key) < 0; found = carved.next()) yield found.value;
      const same = !found.done && found.value.key.equals(entry.key);
      yield same && !isWhole(entry) ? found.value : entry;
      if (same) found = carved.next();
    }
    for (; !found.done; found = carved.next()) yield found.value;
  }
}

const isWhole = ({ key, record }: Entry): boolean => openRecord(record)?.key.equals(key) === true;
