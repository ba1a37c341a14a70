import { inflateRawSync } from 'node:zlib';
import { Buckets, pack, readColumns, TIER_MS, toColumns, writeColumns } from '@bowline/history-store';
import { Environment, allocate, seal, unseal } from '@bowline/record-store';
import type { Sample } from '@bowline/messages';

type Writes = Map<string, Buffer | null>;

/**
 * The same layout as the history's, in LMDB by libs/record-store: a record a batch, and a block a series of what thirty
 * batches held, with minutes and hours beside it.
 */
export class LmdbCandidate {
  readonly #env: Environment;
  #pending: { key: string; samples: Sample[] }[] = [];
  #number = 0;
  #commit = 0;

  constructor(file: string) {
    this.#env = Environment.open(file);
  }

  async record(samples: Sample[]): Promise<void> {
    const bytes = Buffer.concat(
      [...Map.groupBy(samples, ({ series }) => series)].map(([, list]) => writeColumns(toColumns(list))),
    );
    const key = `p/${String((this.#number += 1)).padStart(10, '0')}`;
    this.#pending.push({ key, samples });
    await this.#env.commit(new Map([[key, this.#framed(key, pack(bytes).data)]]));
  }

  async seal(): Promise<void> {
    const writes: Writes = new Map(this.#pending.map(({ key }) => [key, null]));
    const all = this.#pending.flatMap(({ samples }) => samples);
    for (const [name, list] of Map.groupBy(all, ({ series }) => series)) {
      const at = String(list[0]?.at ?? 0).padStart(15, '0');
      const put = (tier: number, bytes: Buffer) => {
        const key = `${tier}/${name}/${at}`;
        writes.set(key, this.#framed(key, pack(bytes).data));
      };
      put(0, writeColumns(toColumns(list)));
      TIER_MS.forEach((widthMs, index) => {
        const buckets = new Buckets(widthMs);
        for (const sample of list) buckets.addSample(sample);
        put(index + 1, Buffer.from(JSON.stringify(buckets.sorted())));
      });
    }
    await this.#env.commit(writes);
    this.#pending = [];
  }

  /** All samples of one series in a range. */
  query(series: string, from: number, to: number): { at: number; value: unknown }[] {
    const points: { at: number; value: unknown }[] = [];
    const key = (at: number) => Buffer.from(`0/${series}/${String(at).padStart(15, '0')}`, 'latin1');
    for (const entry of this.#env.range(key(0), key(to))) {
      const data = unseal(entry.key, entry.record);
      if (data === undefined) continue;
      const { at, values } = readColumns(inflateRawSync(data));
      at.forEach((time, index) => {
        if (time >= from && time < to) points.push({ at: time, value: values[index] });
      });
    }
    return points;
  }

  close(): Promise<void> {
    return this.#env.close();
  }

  #framed(key: string, data: Uint8Array): Buffer {
    const name = Buffer.from(key, 'latin1');
    const { record, payloadAt } = allocate(name, data.length, (this.#commit += 1));
    record.set(data, payloadAt);
    return seal(record);
  }
}
