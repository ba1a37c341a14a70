import { backoffMs, TransientError, wait, type Clock } from '@bowline/runtime';
import type { Mirror } from '../transport/http-mirror.ts';
import type { ContentStore } from './content-store.ts';
import { download, type Content, type DownloadPorts } from './download.ts';
import type { Supply } from './supply.ts';
import { TokenBucket } from './token-bucket.ts';

export interface HttpSupplyOptions {
  /** At least one; the first is asked first. */
  mirrors: readonly Mirror[];
  /** Mean rate of all downloads together; absent: no cap. */
  bytesPerSecond?: number | undefined;
  /** Downloads at a time. */
  parallel: number;
  /** How often each mirror is tried in vain, without a byte more of a content, before `contents` gives up. */
  attempts: number;
  clock: Clock;
  /** In [0, 1). */
  random?: () => number;
}

/** Another try with the same mirror does not help. */
const HOPELESS = ['no-space'];

/** An update server with its mirrors. */
export function httpSupply(options: HttpSupplyOptions): Supply {
  const { mirrors, bytesPerSecond, parallel, attempts, clock, random = Math.random } = options;
  const bucket =
    bytesPerSecond === undefined ? undefined : new TokenBucket(bytesPerSecond, clock.monotonicMs());

  async function contents(
    wanted: readonly Content[],
    store: ContentStore,
    came: (bytes: number) => void,
    until: AbortSignal,
  ): Promise<void> {
    const failed = new AbortController();
    const signal = AbortSignal.any([until, failed.signal]);
    const queue = wanted.values();
    const work = async () => {
      for (const content of queue) await bring(content, store, came, signal);
    };
    const workers = Array.from({ length: Math.min(parallel, wanted.length) }, () =>
      work().catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
    );
    const ended = await Promise.allSettled(workers);
    until.throwIfAborted();
    if (ended.some(({ status }) => status === 'rejected')) throw failed.signal.reason;
  }

  /** Goes from mirror to mirror, with growing pauses, as long as that brings it on. */
  async function bring(
    content: Content,
    store: ContentStore,
    came: (bytes: number) => void,
    until: AbortSignal,
  ): Promise<void> {
    /** Mirrors whose answers to a range were wrong. */
    const wholeOnly = new Set<Mirror>();
    let bytes = 0;
    let farthest = 0;
    const ports: DownloadPorts = {
      store,
      at(now) {
        if (now !== bytes) came(now - bytes);
        bytes = now;
      },
      async pace(more, signal) {
        const pauseMs = bucket?.take(more, clock.monotonicMs()) ?? 0;
        if (pauseMs > 0) await wait(clock, pauseMs, signal);
      },
    };
    for (let failures = 0, turn = 0; ; turn += 1) {
      const mirror = mirrors[turn % mirrors.length];
      if (mirror === undefined) throw new TransientError('fetch-failed', 'this device has no update server');
      try {
        return await download(content, mirror, ports, until, wholeOnly.has(mirror));
      } catch (error) {
        until.throwIfAborted();
        if (!(error instanceof TransientError) || HOPELESS.includes(error.code)) throw error;
        if (error.code === 'fetch-broken') wholeOnly.add(mirror);
        if (bytes > farthest) [failures, farthest] = [0, bytes];
        failures += 1;
        if (failures >= attempts * mirrors.length) throw error;
        const round = Math.floor((failures - 1) / mirrors.length);
        await wait(clock, Math.max(error.retryAfterMs ?? 0, backoffMs(round, random())), until);
      }
    }
  }

  return {
    places: () => Promise.resolve(mirrors),
    contents,
    close: () => mirrors.forEach((mirror) => mirror.close()),
  };
}
