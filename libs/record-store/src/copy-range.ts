import type { Environment } from './environment.ts';
import type { SourceRecords } from './merged-records.ts';

/** About as much is written in one transaction: memory stays flat however large the store is. */
const CHUNK_BYTES = 4 * 2 ** 20;

/** Records on their way into a new store. */
export class Chunk {
  readonly #to: Environment;
  #writes = new Map<string, Buffer>();
  #bytes = 0;

  constructor(to: Environment) {
    this.#to = to;
  }

  put(key: Buffer, record: Buffer): void {
    this.#writes.set(key.toString('latin1'), record);
    this.#bytes += record.length;
  }

  get full(): boolean {
    return this.#bytes >= CHUNK_BYTES;
  }

  async flush(): Promise<void> {
    await this.#to.commit(this.#writes);
    this.#writes = new Map();
    this.#bytes = 0;
  }
}

/** Visits the records with `start` ≤ key < `end`; while the chunk is flushed no cursor is open. */
export async function copyRange(
  from: SourceRecords,
  start: Buffer,
  end: Buffer,
  chunk: Chunk,
  visit: (key: Buffer, record: Buffer) => void,
): Promise<void> {
  let next: Buffer | undefined = start;
  while (next !== undefined) {
    let resume: Buffer | undefined;
    for (const { key, record } of from.range(next, end)) {
      visit(key, record);
      if (!chunk.full) continue;
      resume = Buffer.concat([key, Buffer.from([0])]);
      break;
    }
    if (chunk.full) await chunk.flush();
    next = resume;
  }
}
