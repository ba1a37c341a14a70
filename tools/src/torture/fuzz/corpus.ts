import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKey, signClaims, signEnrolmentProof, signLinkToken, signTrustBundle } from '@bowline/identity';
import type { TrustBundle } from '@bowline/messages';
import { HUB_VERSION } from '@bowline/messages/hub/apps';
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

/** What an app says first; see {@link ipcCorpus}. */
export const REGISTER = {
  app: 'ota-updater',
  hubVersion: HUB_VERSION,
  version: '0.1.0',
  pid: 1,
  orderTypes: ['softwareUpdate'],
};

/** Frames of an app to the hub: all kinds of messages, and lines. */
export function ipcCorpus(uplink: readonly unknown[]): string[] {
  const frame = (...data: unknown[]) => JSON.stringify({ type: 'messages', data });
  const lines = uplink.flatMap((message) => {
    const { id, type, sentAt, payload } = (message ?? {}) as Record<string, unknown>;
    return type === 'telemetry' || type === 'event' ? [JSON.stringify({ id, type, sentAt, payload })] : [];
  });
  const enqueue = (batch: number, count: number) =>
    frame(['request', 8, 'enqueue', { producer: device.bootId, batch }, count]);
  return [
    frame(['request', 1, 'register', REGISTER]),
    frame(['request', 2, 'status', {}], ['response', 1, {}], ['notification', 'appState', { state: 'ready' }]),
    frame(['error', 3, { code: 'invalid', message: 'no', retryable: false }], ['notification', 'progress', { orderId: ORDER_ID }]),
    frame(['request', 4, 'deadLetters', {}], ['request', 5, 'linkLog', {}], ['request', 6, 'trustBundles', { above: 0 }]),
    frame(['request', 7, 'reportOrder', { orderId: ORDER_ID, status: 'succeeded', at: NOW_MS }]),
    ...lines.map((line, index) => [enqueue(index + 1, 1), line].join('\n')),
    [enqueue(lines.length + 1, lines.length), ...lines].join('\n'),
  ]; // prettier-ignore
}

/** What a device says first. */
export const hello = (deviceId: string): string => {
  const lane = { first: 1, next: 1 };
  const payload = {
    deviceId,
    bootId: device.bootId,
    epoch: '2f1c9a4e-8b7d-4c3e-9f10-1a2b3c4d5e6f',
    agentVersion: '0.1.0',
    capabilities: [],
    lanes: { results: lane, events: lane, telemetry: lane, history: lane },
    received: 0,
    limits: { frameBytes: 262_144, inflightMessages: 16 },
    queue: { messages: 0, bytes: 0 },
  };
  return JSON.stringify({ type: 'hello', id: ORDER_ID, sentAt: NOW_MS, payload });
};
