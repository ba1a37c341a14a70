import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock, type Clock } from '@bowline/runtime';
import {
  createReleaseSource,
  type ReleaseSourceOptions,
  httpSupply,
  type FetchProgress,
  type InstalledRelease,
  type ReleasePlan,
  type ReleaseSource,
  type Supply,
  type UpdateOrder,
} from '../device/index.ts';
import { httpMirror, type MirrorOptions } from '../transport/index.ts';

export interface TestDeviceOptions extends Partial<
  Pick<MirrorOptions, 'stallMs' | 'minBytesPerSecond' | 'redirectsTo' | 'proxy' | 'ca'>
> {
  /** Base URLs of its mirrors. */
  urls?: readonly string[];
  supply?: Supply;
  folder: string;
  stateDir?: string;
  /** Its first root: of this repository. */
  repository: string;
  installed?: InstalledRelease | undefined;
  bytesPerSecond?: number;
  attempts?: number;
  serverMs?: number | undefined;
  builtMs?: number;
  reserveBytes?: number;
  clock?: Clock;
  takesForOne?: ReleaseSourceOptions['takesForOne'];
}

export interface TestDevice {
  source: ReleaseSource;
  supply: Supply;
  order(change?: Partial<UpdateOrder>): UpdateOrder;
  resolve(change?: Partial<UpdateOrder>): Promise<ReleasePlan>;
  /** Resolve, fetch, stage: the last progress. */
  bring(to: string, change?: Partial<UpdateOrder>): Promise<{ plan: ReleasePlan; progress: FetchProgress }>;
  close(): void;
}

export const never: AbortSignal = new AbortController().signal;

/** The updater's half of a device, over real sockets and files. */
export function testDevice(options: TestDeviceOptions): TestDevice {
  const { urls = [], folder, repository, clock = systemClock } = options;
  const supply =
    options.supply ??
    httpSupply({
      mirrors: urls.map((url) =>
        httpMirror({ url, stallMs: 10_000, minBytesPerSecond: 1, userAgent: 'test', clock, ...options }),
      ),
      parallel: 4,
      attempts: options.attempts ?? 2,
      bytesPerSecond: options.bytesPerSecond,
      clock,
      random: () => 0,
    });
  const source = createReleaseSource({
    supply,
    stateDir: options.stateDir ?? join(folder, 'state'),
    releasesDir: join(folder, 'releases'),
    reserveBytes: options.reserveBytes ?? 0,
    anchor: () => Promise.resolve({ sha256: sha256(readFileSync(join(repository, 'metadata/1.root.json'))) }),
    serverMs: () => ('serverMs' in options ? options.serverMs : Date.now()),
    builtMs: options.builtMs ?? 0,
    installed: () => options.installed,
    clock,
    ...(options.takesForOne === undefined ? {} : { takesForOne: options.takesForOne }),
  });
  const order = (change: Partial<UpdateOrder> = {}): UpdateOrder => ({
    aud: 'd1',
    jti: 'j1',
    exp: 1,
    channel: 'stable',
    name: 'kiosk',
    version: '1.0.0',
    ...change,
  });
  return {
    source,
    supply,
    order,
    resolve: (change) => source.resolve(order(change), never),
    async bring(to, change) {
      const plan = await source.resolve(order(change), never);
      let progress: FetchProgress = { bytes: 0, totalBytes: 0, bytesPerSecond: 0 };
      await source.fetch(plan, (now) => (progress = now), never);
      await source.stage(plan, to, never);
      return { plan, progress };
    },
    close: () => supply.close(),
  };
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
