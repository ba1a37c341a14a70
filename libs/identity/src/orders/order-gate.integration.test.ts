import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrustBundleJws } from '@bowline/messages';
import { createLogger, systemClock } from '@bowline/runtime';
import { v7 as uuidv7 } from 'uuid';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createKey, type SigningKey } from '../key.ts';
import { writeTrustAnchor } from '../trust/trust-anchor.ts';
import { signTrustBundle } from '../trust/trust-bundle.ts';
import { OrderGate } from './order-gate.ts';
import { signClaims } from './signed-claims.ts';

const DAY_MS = 24 * 3_600_000;
const NOW = Date.UTC(2026, 0, 1);

let root: SigningKey;
let key: SigningKey;
let bundle: TrustBundleJws;
beforeAll(async () => {
  [root, key] = [await createKey(), await createKey()];
  const keys = { root: [root.publicJwk], update: [], access: [], command: [key.publicJwk] };
  bundle = await signTrustBundle({ version: 1, keys, threshold: 1 }, [root]);
});

let folder: string;
let gate: OrderGate;
/** What a gateway, honest or captured, says that the server's time is. */
let toldMs: number | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bl-'));
  writeTrustAnchor(join(folder, 'anchor.json'), {
    rootThumbprint: root.thumbprint,
    deviceId: 'd1',
    groups: [],
  });
  toldMs = NOW;
  start();
});
afterEach(() => {
  gate.close();
  rmSync(folder, { recursive: true, force: true });
});

function start(): void {
  gate = new OrderGate({
    stateDir: join(folder, 'state'),
    trustAnchorFile: join(folder, 'anchor.json'),
    serverClock: { nowMs: () => toldMs },
    hub: {
      request: (_, { above }) => Promise.resolve({ bundles: above < 1 ? [bundle] : [] }),
      onRegistered: () => undefined,
      onNotification: () => undefined,
      enqueue: () => Promise.resolve(),
    },
    clock: systemClock,
    log: createLogger({ app: 'test', write: () => undefined }),
  });
}
const state = (name: string) => join(folder, 'state', name);
interface Order {
  orderId: string;
  jws: string;
}
/** Signed at that time, good for ten minutes. */
async function signedAt(atMs: number): Promise<Order> {
  const orderId = uuidv7();
  const [iat, exp] = [atMs / 1000, atMs / 1000 + 600];
  return { orderId, jws: await signClaims('command', key, { orderId, aud: 'd1', name: 'reboot', iat, exp }) };
}
const admit = ({ jws, orderId }: Order) => gate.admit('command', jws, orderId);
const code = (expected: string) => expect.objectContaining({ code: expected });

describe('OrderGate, where the time is put back', () => {
  test('when a signature was taken, none that had expired by then is, and a restart or the loss of either record changes nothing', async () => {
    const withheld = await signedAt(NOW - 180 * DAY_MS);
    await admit(await signedAt(NOW));
    toldMs = NOW - 180 * DAY_MS;
    await expect(admit(withheld)).rejects.toEqual(code('signature-expired'));
    for (const lost of ['spent-orders.db', 'signed-time.json']) {
      gate.close();
      rmSync(state(lost));
      start();
      await expect(admit(withheld)).rejects.toEqual(code('signature-expired'));
      await admit(await signedAt(NOW + 1000)); // recorded in both again
    }
    gate.close();
    writeFileSync(state('signed-time.json'), '{"iat":');
    start();
    await expect(admit(withheld)).rejects.toEqual(code('signature-expired'));
    toldMs = NOW + DAY_MS;
    expect((await admit(await signedAt(NOW + DAY_MS))).earlier).toBeUndefined();
  });

  test('when the record of used signatures is lost, one that was used is not taken again', async () => {
    const used = await signedAt(NOW);
    await admit(used);
    gate.close();
    rmSync(state('spent-orders.db'));
    toldMs = NOW - 25_000; // it is not yet ahead of that by more than a signer's clock may be
    start();
    await expect(admit(used)).rejects.toEqual(code('issued-before-loss'));
  });

  test('when a signature says that it was made later than now, it is refused and moves nothing', async () => {
    await expect(admit(await signedAt(NOW + 60_000))).rejects.toEqual(code('not-yet-valid'));
    await admit(await signedAt(NOW));
    expect(JSON.parse(readFileSync(state('signed-time.json'), 'utf8'))).toEqual({ iat: NOW / 1000 });
  });
});

describe('OrderGate, where the server has told no time', () => {
  test('when a person brings an order, the clock of the device counts, but not before the latest signature; over the link it waits', async () => {
    toldMs = undefined;
    const brought = (order: Order, nowMs: number) =>
      gate.admit('command', order.jws, order.orderId, { nowMs: () => nowMs });
    const first = await signedAt(NOW);
    await expect(admit(first)).rejects.toEqual(code('no-server-time'));
    await expect(brought(first, NOW + DAY_MS)).rejects.toEqual(code('signature-expired'));
    expect((await brought(first, NOW)).earlier).toBeUndefined();
    await expect(brought(await signedAt(NOW - DAY_MS), NOW - DAY_MS)).rejects.toEqual(
      code('signature-expired'),
    );
    toldMs = NOW + 2 * DAY_MS;
    await expect(brought(await signedAt(NOW + DAY_MS), NOW + DAY_MS)).rejects.toEqual(
      code('signature-expired'),
    );
  });
});
