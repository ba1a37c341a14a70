import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WayOut } from '@bowline/device-app';
import { createReleaseSource, httpSupply, type RootAnchor, type Supply } from '@bowline/releases/device';
import { httpMirror } from '@bowline/releases/transport';
import { AGENT_VERSION, ConfigError, RejectedError, RELEASED_AT, type Clock } from '@bowline/runtime';
import { readAuthority } from '@bowline/runtime/proxy';
import type { InstalledReleases, ReleaseSource } from './release-source.ts';
import type { SupplyConfig } from './supply-config.ts';

export interface SourceOptions {
  config: { stateDir: string; releasesDir: string; supply: SupplyConfig };
  /** What the trust bundle of the order gate says (libs/identity, order-gate.ts). */
  gate: { releaseRootSha256(): string | undefined };
  serverClock: { nowMs(): number | undefined };
  installed: InstalledReleases;
  /** To its mirrors. */
  way: Pick<WayOut, 'own'>;
  clock: Clock;
}

/**
 * The releases of this device's update server.
 *
 * @throws ConfigError `bad-update-url`, `insecure-update-url`, `bad-certificate`, `bad-release-root`
 */
export function openReleaseSource(options: SourceOptions): ReleaseSource {
  const { config, clock } = options;
  const { mirrors, allowInsecure, caFile, stallMs, minBytesPerSecond } = config.supply;
  for (const url of mirrors)
    if (!allowInsecure && !url.startsWith('https:'))
      throw new ConfigError(
        'insecure-update-url',
        `supply.mirrors: ${url} is not https; see supply.allowInsecure`,
      );
  const redirectsTo = mirrors.map((url) => URL.parse(url)?.origin ?? '');
  const ca = caFile === undefined ? undefined : readAuthority(caFile, 'supply.caFile');
  const supply = httpSupply({
    mirrors: mirrors.map((url) =>
      httpMirror({
        url,
        redirectsTo,
        ca,
        proxy: () => options.way.own(),
        stallMs,
        minBytesPerSecond,
        clock,
        userAgent: `bowline/${AGENT_VERSION}`,
      }),
    ),
    parallel: config.supply.parallel,
    attempts: config.supply.attempts,
    bytesPerSecond: config.supply.bytesPerSecond,
    clock,
  });
  return sourceOf(supply, options);
}

/** Every source shares what is trusted and what was fetched: a bundle cannot take back what the server has shown. */
export function sourceOf(
  supply: Supply,
  { config, gate, serverClock, installed, clock }: SourceOptions,
): ReleaseSource {
  const { rootFile, reserveBytes } = config.supply;
  const factory = rootFile === undefined ? undefined : readRoot(rootFile);
  return createReleaseSource({
    supply,
    stateDir: join(config.stateDir, 'supply'),
    releasesDir: config.releasesDir,
    reserveBytes,
    anchor: () => Promise.resolve(anchorOf(factory, gate.releaseRootSha256())),
    serverMs: () => serverClock.nowMs(),
    builtMs: RELEASED_AT,
    installed,
    clock,
  });
}

/** The factory's root wins: whoever can change the trust bundle cannot change that. */
function anchorOf(factory: string | undefined, told: string | undefined): RootAnchor {
  if (factory !== undefined)
    return { sha256: createHash('sha256').update(factory).digest('hex'), root: factory };
  if (told !== undefined) return { sha256: told };
  throw new RejectedError(
    'no-release-root',
    'this device was not told which repository of releases to believe: neither by supply.rootFile nor by the trust bundle',
  );
}

function readRoot(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError('bad-release-root', `supply.rootFile: ${file} cannot be read`, { cause });
  }
}
