type Body = Uint8Array | readonly Uint8Array[];
type Value = Body | (() => Body) | undefined;

/** Everything that a server has on its disk, by key, as text of one byte a character; never changed. */
export type Disk = ReadonlyMap<string, string>;

const bytes = (value: Uint8Array): string => Buffer.from(value).toString('latin1');

/**
 * What the server's code sees as its store: a disk and, over it, the writes of one commit. As with the real store, a
 * value that is a function is asked when the commit begins, and by reads until then.
 */
export class MapStore {
  readonly #disk: Disk;
  readonly #writes = new Map<string, Value>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  get(key: string): Buffer | undefined {
    if (!this.#writes.has(key)) {
      const text = this.#disk.get(key);
      return text === undefined ? undefined : Buffer.from(text, 'latin1');
    }
    const value = this.#writes.get(key);
    const body = typeof value === 'function' ? value() : value;
    return body && (body instanceof Uint8Array ? Buffer.from(body) : Buffer.concat(body));
  }

  range({ from, to, limit = Infinity, reverse = false, headBytes = Infinity }: Range): Entry[] {
    const keys = new Set(
      [...this.#disk.keys(), ...this.#writes.keys()].filter((key) => key >= from && key < to),
    );
    const entries: Entry[] = [];
    for (const key of reverse ? [...keys].toSorted().toReversed() : [...keys].toSorted()) {
      if (entries.length >= limit) break;
      const value = this.get(key);
      if (value !== undefined)
        entries.push({ key, value: value.subarray(0, headBytes), bytes: value.length });
    }
    return entries;
  }

  write(writes: readonly { key: string; value: Value }[]): Promise<void> {
    for (const { key, value } of writes) this.#writes.set(key, value);
    return Promise.resolve();
  }

  /** All that the commit writes under keys that begin so, as text. */
  written(prefix: string): string {
    const keys = [...this.#writes.keys()].filter((key) => key.startsWith(prefix));
    return keys.map((key) => this.get(key)?.toString('latin1') ?? '').join('');
  }

  /** The disk after the commit. */
  commit(): Disk {
    const disk = new Map(this.#disk);
    for (const key of this.#writes.keys()) {
      const value = this.get(key);
      if (value === undefined) disk.delete(key);
      else disk.set(key, bytes(value));
    }
    return disk;
  }
}

interface Range {
  from: string;
  to: string;
  limit?: number;
  reverse?: boolean;
  headBytes?: number;
}

interface Entry {
  key: string;
  value: Buffer;
  bytes: number;
}
