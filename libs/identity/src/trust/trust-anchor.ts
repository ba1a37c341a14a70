import { check } from '@bowline/messages/check';
import { BowlineError, ConfigError, hasCode, writeFileDurably } from '@bowline/runtime';
import { trustAnchor as isTrustAnchor } from '../generated/anchor.js';
import { readOwnedFile } from '../owned-file.ts';
import type { TrustAnchor } from './trust-anchor-schema.ts';

const MAX_BYTES = 16_384;

/**
 * What whoever set up this device says about whom its apps trust (docs/adr/0009): in a file that neither the gateway nor the
 * cloud can write.
 *
 * @returns undefined if there is no such file: then nothing that is signed is believed.
 * @throws ConfigError `trust-anchor-broken`, saying why.
 */
export function readTrustAnchor(file: string): TrustAnchor | undefined {
  try {
    return check<TrustAnchor>(isTrustAnchor, JSON.parse(readOwnedFile(file, MAX_BYTES)), 'anchor');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    const why = error instanceof BowlineError || error instanceof Error ? error.message : String(error);
    throw new ConfigError('trust-anchor-broken', `the trust anchor ${file} cannot be used: ${why}`, {
      cause: error,
    });
  }
}

/** For whoever sets up a device. Readable by all: it holds no secret. */
export function writeTrustAnchor(file: string, anchor: TrustAnchor): void {
  check(isTrustAnchor, anchor, 'anchor');
  writeFileDurably(file, `${JSON.stringify(anchor, null, 2)}\n`, 0o644);
}
