import { readFileSync, rmSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKey, keyFromPem, readTrustBundle, signTrustBundle, type SigningKey } from '@bowline/identity';
import type { TrustBundleJws } from '@bowline/messages';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './testing/test-server.ts';

const rootOf = ({ stateDir }: TestServer) => keyFromPem(readFileSync(join(stateDir, 'root-key.pem'), 'utf8'));
const bundleOf = (version: number, roots: SigningKey[], by = roots, threshold = 1) => {
  const keys = { root: roots.map(({ publicJwk }) => publicJwk), update: [], access: [], command: [] };
  return signTrustBundle({ version, keys, threshold }, by);
};
const versionOf = (payload: Record<string, unknown>) =>
  readTrustBundle(payload['trust'] as TrustBundleJws).version;

describe('the trust bundle of a fleet', () => {
  it('when a next one is published, every device gets it as an order, and those that were away when they connect', async () => {
    const server = await startTestServer();
    const root = await rootOf(server);
    const device = await server.device('here');
    const link = await device.open({ capabilities: ['trust:1'] });
    const published = await server.api('POST', '/v1/trust', { trust: await bundleOf(2, [root]) });
    expect(published).toMatchObject({ status: 201, body: { version: 2 } });
    expect(versionOf((await link.next('trust')).payload)).toBe(2);
    expect((await server.api('GET', '/v1/trust')).body).toMatchObject({ version: 2 });

    // It was enrolled with 2 and comes back from an older state: nothing is on its way to it.
    const late = await server.device('late');
    expect(versionOf((await (await late.open({ capabilities: ['trust:1'] })).next('trust')).payload)).toBe(2);
    const again = await device.open({ capabilities: ['trust:1'] });
    await again.next('trust');
    const orders = (await server.api('GET', '/v1/devices/here/orders')).body['orders'] as { type: string }[];
    expect(orders.filter(({ type }) => type === 'trust')).toHaveLength(1);
  });

  it('when it does not follow, it is refused and nobody gets it', async () => {
    const server = await startTestServer();
    const root = await rootOf(server);
    await server.device('d');
    const thief = await createKey();
    const publish = async (trust: TrustBundleJws) => {
      const { status, body } = await server.api('POST', '/v1/trust', { trust });
      return [status, body['code']];
    };
    expect(await publish(await bundleOf(2, [thief]))).toEqual([400, 'untrusted-bundle']);
    expect(await publish(await bundleOf(2, [root, thief], [root], 2))).toEqual([400, 'untrusted-bundle']);
    expect(await publish(await bundleOf(1, [root, thief], [root]))).toEqual([409, 'bundle-rollback']);
    expect((await server.api('GET', '/v1/devices/d/orders')).body['orders']).toEqual([]);
  });

  it('when the first bundle was made elsewhere, the server never makes a root key and its tokens name that root', async () => {
    const stateDir = join(temporaryFolder(), 'server');
    mkdirSync(stateDir, { mode: 0o700 });
    const root = await createKey();
    writeFileSync(join(stateDir, 'trust.json'), JSON.stringify(await bundleOf(1, [root])));
    const server = await startTestServer({ stateDir });
    expect(existsSync(join(stateDir, 'root-key.pem'))).toBe(false);
    const token = async () =>
      String((await server.api('POST', '/v1/enrolment-tokens', {})).body['token']).split('.')[1];
    expect(await token()).toBe(root.thumbprint);

    const next = await createKey();
    await server.api('POST', '/v1/trust', { trust: await bundleOf(2, [next], [root, next]) });
    expect(await token()).toBe(next.thumbprint);
    await server.stop();
    const restarted = await startTestServer({ stateDir });
    expect((await restarted.api('GET', '/v1/trust')).body).toMatchObject({ version: 2 });
  });

  it('when trust.json is not good, the server says so and makes none of its own', async () => {
    const stateDir = join(temporaryFolder(), 'server');
    mkdirSync(stateDir, { mode: 0o700 });
    const [root, other] = [await createKey(), await createKey()];
    writeFileSync(join(stateDir, 'trust.json'), JSON.stringify(await bundleOf(1, [root], [other])));
    await expect(startTestServer({ stateDir })).rejects.toMatchObject({ code: 'bad-trust' });
    rmSync(join(stateDir, 'trust.json'));
  });
});

it('when an order comes with an id of the caller, it has that id, once', async () => {
  const server = await startTestServer();
  await server.device('d');
  const body = { orderId: uuidv7(), type: 'command', payload: { name: 'ping' } };
  const given = await server.api('POST', '/v1/devices/d/orders', body);
  expect(given).toMatchObject({ status: 201, body: { orderId: body.orderId } });
  await waitFor(async () => (await server.api('GET', `/v1/orders/${body.orderId}`)).status === 200);
  expect(await server.api('POST', '/v1/devices/d/orders', body)).toMatchObject({
    status: 409,
    body: { code: 'order-exists' },
  });
});
