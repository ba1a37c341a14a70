import { join } from 'node:path';
import { createKey, signClaims, signTrustBundle, writeTrustAnchor, type SigningKey } from '@bowline/identity';
import type { SignedUpdate } from '@bowline/messages';
import { createLogger, LiveConfig, systemClock } from '@bowline/runtime';
import { ContractError, RejectedError, TransientError } from '@bowline/runtime/errors';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { joinHub, type HubMember } from './join-hub.ts';
import { takeSignedOrders, type AdmittedOrder } from './take-signed-orders.ts';
import { openTestGateway, type NewOrder, type TestGateway } from './testing/test-gateway.ts';

const APP = 'ota-updater';
const log = createLogger({ app: APP, write: () => {} });

let root: SigningKey;
let key: SigningKey;
beforeAll(async () => {
  [root, key] = [await createKey(), await createKey()];
});

let gateway: TestGateway;
let hub: HubMember;
let carriedOut: AdmittedOrder<'softwareUpdate'>[];
let resumed: string[];
let refused: { code: string; signer: string | undefined }[];
let known: string[];
let permitted: string[];
/** What `carryOut` waits for. */
let opening: Promise<void>;
beforeEach(async () => {
  const folder = temporaryFolder();
  gateway = await openTestGateway(join(folder, 'hub'));
  const keys = { root: [root.publicJwk], update: [key.publicJwk], access: [], command: [] };
  gateway.bundles.push(await signTrustBundle({ version: 1, keys, threshold: 1 }, [root]));
  writeTrustAnchor(join(folder, 'anchor.json'), { rootThumbprint: root.thumbprint });
  const config = {
    stateDir: join(folder, 'state'),
    hubFolder: join(folder, 'hub'),
    policyFile: join(folder, 'policy.json'),
    trustAnchorFile: join(folder, 'anchor.json'),
  };
  const { signal } = new AbortController();
  const orderTypes = ['softwareUpdate'] as const;
  const everything = Object.assign(() => true, { schema: {} });
  const live = new LiveConfig(everything, { app: APP, args: [`--state-dir=${config.stateDir}`], env: {} });
  const clock = systemClock;
  const restart = () => undefined;
  hub = await joinHub({ app: APP, version: '1', orderTypes, config, live, restart, log, clock, signal });
  [carriedOut, resumed, refused, known, permitted] = [[], [], [], [], ['stable']];
  opening = Promise.resolve();
  takeSignedOrders(hub, log, {
    type: 'softwareUpdate',
    signedPart: ({ order }) => {
      if (typeof order !== 'string') throw new ContractError('invalid', 'no order');
      return order;
    },
    judge: (_, { channel }) =>
      permitted.includes(channel) ? undefined : { code: 'not-allowed', message: `not ${channel}` },
    resumes: (orderId) => known.includes(orderId),
    resume: ({ orderId }) => void resumed.push(orderId),
    refused: (_, { code }, admitted) => void refused.push({ code, signer: admitted?.signer }),
    carryOut: async (order) => {
      if (order.claims.reason === 'full') throw new RejectedError('busy', 'one is under way');
      carriedOut.push(order);
      // As the ssh-broker: what it begins is of its own record only once it is open.
      hub.gate.spent.begin(order.id);
      await opening;
    },
  });
});
afterEach(async () => {
  hub.close();
  await gateway.close();
});

async function signed(change: Partial<SignedUpdate> = {}) {
  const exp = Math.floor(Date.now() / 1000) + 300;
  const claims = { aud: 'd1', jti: uuidv7(), exp, channel: 'stable', ...change };
  const order = await signClaims('softwareUpdate', key, claims);
  return { orderId: uuidv7(), type: 'softwareUpdate' as const, payload: { order } };
}
const code = async (order: NewOrder) => (await gateway.outcome(APP, order)).error?.code;

test('when an order is good, it is carried out with its claims', async () => {
  const order = await signed();
  await gateway.hand(APP, order);
  expect(carriedOut).toMatchObject([
    { orderId: order.orderId, claims: { channel: 'stable' }, signer: key.thumbprint },
  ]);
  expect(gateway.reports).toEqual([]);
});

test('when shape, signature, policy or the app itself is against it, it is rejected with that rule', async () => {
  expect(await code({ ...(await signed()), payload: {} } as never)).toBe('invalid');
  expect(await code(await signed({ aud: 'd2' }))).toBe('wrong-audience');
  expect(await code(await signed({ channel: 'nightly' }))).toBe('not-allowed');
  expect(await code(await signed({ reason: 'full' }))).toBe('busy');
  expect(carriedOut).toEqual([]);
  const signer = key.thumbprint;
  expect(refused).toEqual([
    { code: 'invalid', signer: undefined },
    { code: 'wrong-audience', signer: undefined },
    { code: 'not-allowed', signer },
    { code: 'busy', signer },
  ]);
});

test('when the app has the order in its own record, it goes on unjudged, though its signature has expired', async () => {
  const order = await signed({ exp: 1 });
  known.push(order.orderId);
  await gateway.hand(APP, { ...order, state: 'started', attempt: 1 });
  expect(resumed).toEqual([order.orderId]);
  expect(carriedOut).toEqual([]);
  known.length = 0;
  expect(await code(order)).toBe('signature-expired');
});

test('when an order had begun before a crash and the app knows nothing of it, it begins anew only in its time', async () => {
  const order = await signed();
  await gateway.hand(APP, order);
  await gateway.hand(APP, order);
  expect(carriedOut).toMatchObject([{ earlier: undefined }, { earlier: { phase: 'begun' } }]);
  expect(await code({ ...order, serverTime: Date.now() + 600_000 })).toBe('signature-expired');
  expect(carriedOut).toHaveLength(2);
});

test('when an order is handed over again while it is being carried out, it is carried out once and not refused', async () => {
  const order = await signed();
  const { promise, resolve } = Promise.withResolvers<void>();
  opening = promise;
  const handed = [gateway.hand(APP, order), gateway.hand(APP, order), gateway.hand(APP, order)];
  // Sent after them on the same socket: once this is answered, they have come in.
  await gateway.hand(APP, await signed({ channel: 'nightly' }));
  resolve();
  await Promise.all(handed);
  expect(carriedOut).toMatchObject([{ orderId: order.orderId }]);
  expect(gateway.reports.filter(({ orderId }) => orderId === order.orderId)).toEqual([]);
});

test('when the first hand-over could not be judged yet, one that waited for it is refused alike, and the next is judged', async () => {
  const order = await signed();
  const { promise, reject } = Promise.withResolvers<void>();
  opening = promise;
  const handed = [gateway.hand(APP, order), gateway.hand(APP, order)];
  await waitFor(() => carriedOut.length > 0);
  reject(new TransientError('disk-full', 'no room'));
  const outcomes = await Promise.allSettled(handed);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  opening = Promise.resolve();
  await gateway.hand(APP, order);
  expect(carriedOut).toHaveLength(2);
});

test('when an order was refused, that used its signature up, though it would be allowed by now', async () => {
  const order = await signed({ channel: 'nightly' });
  expect(await code(order)).toBe('not-allowed');
  gateway.reports.length = 0;
  permitted.push('nightly');
  expect(await code(order)).toBe('not-allowed');
  expect(refused).toHaveLength(1); // that was the same answer once more
  gateway.reports.length = 0;
  const busy = await signed({ reason: 'full' });
  expect(await code(busy)).toBe('busy');
  expect(carriedOut).toEqual([]);
  await gateway.hand(APP, await signed({ channel: 'nightly' }));
  expect(carriedOut).toHaveLength(1);
});

test('when the gateway tells of the link, it is known; while the gateway is away, it is not', async () => {
  let heard = 0;
  hub.onHeard(() => (heard += 1));
  await gateway.hand(APP, await signed());
  expect(hub.link).toBe('offline');
  const before = heard;
  gateway.setLink('online');
  await waitFor(() => hub.link === 'online');
  expect(heard).toBeGreaterThan(before);
  await gateway.close();
  await waitFor(() => hub.link === undefined);
});
