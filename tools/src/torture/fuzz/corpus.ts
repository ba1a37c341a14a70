import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKey, signClaims, signEnrolmentProof, signLinkToken, signTrustBundle } from '@bowline/identity';
import type { TrustBundle } from '@bowline/messages';
import { WORKSPACE } from '../../test/run.ts';

export const NOW_MS = 1_770_000_000_000;
export const ORIGIN = 'https://fleet.example';
export const DEVICE_ID = 'demo';
export const SERVER_ID = 'server-1';
export const ORDER_ID = '019a0b3c-5d6e-7f80-9123-456789abcdef';

/** Larger ones say something about size limits only, which have vectors and tests of their own, and slow everything down. */
const LARGEST_VECTOR = 8192;

/** The frames of the test vectors, good and bad (libs/messages/vectors/README.md). */
export function vectors(direction: 'uplink' | 'downlink'): unknown[] {
  const file = join(WORKSPACE, 'libs/messages/vectors', `${direction}.json`);
  const all = JSON.parse(readFileSync(file, 'utf8')) as { frame?: unknown }[];
  return all.flatMap(({ frame }) =>
    frame === undefined || JSON.stringify(frame).length > LARGEST_VECTOR ? [] : [frame],
  );
}

const device = {
  os: 'linux',
  arch: 'x64',
  bootId: '7d9e0c1b-2a3f-4e5d-8c6b-9a8f7e6d5c4b',
  agentVersion: '0.1.0',
};

/** Keys, and what they have signed: all of it good, for mutants to be near to. */
export async function signedCorpus() {
  const key = await createKey();
  const keys = [key.publicJwk];
  const bundle: TrustBundle = {
    version: 1,
    keys: { root: keys, update: [], access: [], command: keys },
    threshold: 1,
  };
  const token = `${'s'.repeat(32)}.${key.thumbprint}`;
  const nowMs = NOW_MS;
  const proof = await signEnrolmentProof(key, { token, device, origin: ORIGIN, nowMs });
  const enrolment = { token, publicKey: key.publicJwk, proof, device };
  return {
    key,
    bundle,
    token,
    enrolment,
    trust: await signTrustBundle({ ...bundle, version: 2 }, [key]),
    linkToken: await signLinkToken(key, { deviceId: DEVICE_ID, serverId: SERVER_ID, nowMs }),
    claims: await signClaims('command', key, {
      aud: DEVICE_ID,
      exp: NOW_MS / 1000 + 600,
      orderId: ORDER_ID,
      name: 'ping',
    }),
  };
}
