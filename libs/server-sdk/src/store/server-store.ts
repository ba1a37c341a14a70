/**
 * What the server keeps its state in: ordered keys, atomic durable writes. Everything else of this library (uplink log,
 * orders, devices, tokens) is built on it, so that another store needs nothing but these five methods.
 */
export interface ServerStore {
  /** Reads see every write that was handed in, durable or not. */
  get(key: string): Buffer | undefined;
  /** Ascending by key unless `reverse`. */
  range(range: KeyRange): Entry[];
  /**
   * All of `writes` or none, and the same for all calls made without giving up the turn of the event loop: so each part
   * of the server writes what is its own, and one commit holds it together. Commits become durable in their order; all
   * calls that share a commit get the same promise.
   *
   * @throws InternalError `store-failed`: the store is unusable from then on and the process should exit.
   */
  write(writes: readonly Write[]): Promise<void>;
  /** Waits for the writes under way. */
  close(): Promise<void>;
}

/**
 * `value` undefined removes the key. A function is asked when the commit begins, and by reads until then: so what grows
 * within one commit is put together once.
 */
export interface Write {
  key: string;
  value: Body | (() => Body) | undefined;
}

/** Whole, or in pieces: what is large is put together only once, where it is written. */
export type Body = Uint8Array | readonly Uint8Array[];

/** from ≤ key < to. */
export interface KeyRange {
  from: string;
  to: string;
  limit?: number;
  reverse?: boolean;
  /** Only so many bytes of each value, with the number of all of them: read without a copy or a look for damage. */
  headBytes?: number;
}

export interface Entry {
  key: string;
  value: Buffer;
  /** Of the whole value, where only its head was asked for. */
  bytes?: number;
}

/** Every key that begins with `prefix`, which ends in `/`: `0` is the character after it. */
export const within = (prefix: string): { from: string; to: string } => ({
  from: prefix,
  to: `${prefix.slice(0, -1)}0`,
});

export const put = (key: string, value: object): Write & { value: Buffer } => ({
  key,
  value: Buffer.from(JSON.stringify(value)),
});
/** The record as it is when the commit begins: for one that changes many times until then. */
export const putLatest = (key: string, value: object): Write => ({
  key,
  value: () => Buffer.from(JSON.stringify(value)),
});
export const remove = (key: string): Write => ({ key, value: undefined });

/** A record of ours, written by {@link put}. */
export function read<T>(store: Pick<ServerStore, 'get'>, key: string): T | undefined {
  const value = store.get(key);
  return value === undefined ? undefined : parse<T>(value);
}

export const parse = <T>(value: Buffer): T => JSON.parse(value.toString()) as T;
