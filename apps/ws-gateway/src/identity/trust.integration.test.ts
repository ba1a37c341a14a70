import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKey, signTrustBundle, type SigningKey } from '@bowline/identity';
import type { HubClient } from '@bowline/ipc';
import { FakeCloud } from '@bowline/testing/fake-cloud';
import { waitFor } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GatewayUnderTest } from '../test-kit/gateway.ts';

let cloud: FakeCloud;
let gateway: GatewayUnderTest;
let app: HubClient;
let root: SigningKey;
beforeEach(async () => {
  cloud = await FakeCloud.start();
  if (cloud.root === undefined) throw new Error('the cloud has no root key');
  root = cloud.root;
  gateway = new GatewayUnderTest(cloud);
  await gateway.start().output(/"message":"online"/);
});
afterEach(() => app.close());

const bundleOf = (version: number, by = [root], roots = by) => {
  const keys = { root: roots.map(({ publicJwk }) => publicJwk), update: [], access: [], command: [] };
  return signTrustBundle({ version, keys, threshold: 1 }, by);
};
const order = async (trust: Awaited<ReturnType<typeof bundleOf>>) =>
  (await cloud.link(({ hello }) => hello !== undefined)).order('trust', { trust });
const held = async (above = 0) => (await app.request('trustBundles', { above })).bundles;

describe('trust bundles in the gateway', () => {
  it('when a bundle follows, the order succeeds, apps are told, and the bundle survives a kill', async () => {
    let told = 0;
    app = await gateway.app('command-executor', [], (client) => {
      client.onNotification('trust', ({ version }) => (told = version));
    });
    expect(await app.request('trustBundles', { above: 0 })).toMatchObject({
      bundles: [{}],
      device: { deviceId: 'device-1', groups: [] },
    });
    const second = await bundleOf(2);
    await cloud.ack(await order(second), 'succeeded');
    await waitFor(() => told === 2, { what: 'the app to be told' });

    await gateway.kill();
    gateway.start();
    await waitFor(() => held(1).catch(() => undefined), { what: 'the gateway to be back' });
    expect(await held(1)).toEqual([second]);
  });

  it('when a bundle is forged or older, the order is rejected by that rule and nothing changes', async () => {
    app = await gateway.app('command-executor');
    await cloud.ack(await order(await bundleOf(3)), 'succeeded');
    const thief = await createKey();
    for (const [trust, code] of [
      [await bundleOf(4, [thief]), 'untrusted-bundle'],
      [await bundleOf(4, [thief], [thief, root]), 'untrusted-bundle'],
      [await bundleOf(2), 'bundle-rollback'],
    ] as const) {
      const { payload } = await cloud.ack(await order(trust), 'rejected');
      expect(payload['error']).toMatchObject({ code });
    }
    expect(await held(2)).toHaveLength(1);
  });

  it('when the root keys change, those who hold the first bundle can still follow', async () => {
    app = await gateway.app('command-executor');
    const next = await createKey();
    const rotated = await bundleOf(2, [root, next], [next]);
    const third = await bundleOf(3, [next]);
    for (const trust of [rotated, third]) await cloud.ack(await order(trust), 'succeeded');
    expect((await held()).slice(1)).toEqual([rotated, third]);
  });

  it.each([
    ['ends in the middle', '{"chain":'],
    ['is of another shape', 'null'],
    ['holds no bundle', '{"enrolledWith":"x","chain":[]}'],
    ['holds a bundle that does not read', '{"enrolledWith":"x","chain":[{"payload":"e30"}]}'],
  ])('when its file %s, the gateway goes on with the bundle of the enrolment, and tells', async (_, text) => {
    app = await gateway.app('command-executor');
    const [first] = await held();
    await cloud.ack(await order(await bundleOf(2)), 'succeeded');
    await gateway.kill();
    const file = join(gateway.folder, 'state/trust-chain.json');
    writeFileSync(file, text);
    gateway.start();
    await waitFor(() => held().catch(() => undefined), { what: 'the gateway to be back' });
    expect(await held()).toEqual([first]);
    expect(existsSync(`${file}.damaged`)).toBe(true);
    await waitFor(() => cloud.stored.some(({ payload }) => payload['kind'] === 'trust-chain-damaged'));

    const third = await bundleOf(3);
    await cloud.ack(await order(third), 'succeeded');
    expect(await held(1)).toEqual([third]);
  });
});
