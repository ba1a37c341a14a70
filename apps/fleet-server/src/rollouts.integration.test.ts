import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKey, keyFromPem, signClaims, signTrustBundle, type SigningKey } from '@bowline/identity';
import { createTestRepository } from '@bowline/releases/testing';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { beforeAll, expect, test } from 'vitest';
import { RawDevice } from './testing/raw-device.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
let key: SigningKey;
beforeAll(async () => {
  server = await startTestServer();
  key = await createKey();
  await trustKey(server);
});

async function trustKey({ stateDir, api }: TestServer): Promise<void> {
  const root = await keyFromPem(readFileSync(join(stateDir, 'root-key.pem'), 'utf8'));
  const keys = { root: [root.publicJwk], update: [key.publicJwk], access: [], command: [] };
  const trust = await signTrustBundle({ version: 2, keys, threshold: 1 }, [root]);
  const { status } = await api('POST', '/v1/trust', { trust });
  if (status !== 201) throw new Error(`the bundle was answered with ${status}`);
}

const stage = (
  percent: number,
  { by = key, salt = 'spring', ...change }: Record<string, unknown> & { by?: SigningKey; salt?: string } = {},
) => {
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const claims = {
    aud: 'group:pumps',
    jti: uuidv7(),
    exp,
    channel: 'stable',
    name: 'pump',
    version: '1.4.0',
  };
  return signClaims('softwareUpdate', by, { ...claims, rollout: { percent, salt }, ...change });
};
const member = async (deviceId: string) => {
  const { body } = await server.api('POST', '/v1/enrolment-tokens', { deviceId, groups: ['pumps'] });
  const device = new RawDevice();
  await device.enrol(server.url, String(body['token']));
  return device;
};
const rollout = async () => (await server.api('GET', '/v1/rollouts/spring')).body;

test('when a rollout is begun, paused and gone on with, devices get one order a signature, and a cancel between', async () => {
  const link = await (await member('pump-1')).open();
  const order = await stage(100);
  const begun = await server.api('POST', '/v1/rollouts', { order });
  expect(begun).toMatchObject({
    status: 201,
    body: { rolloutId: 'spring', status: 'running', devices: 1, by: 'admin' },
  });
  expect(JSON.stringify(begun.body)).not.toContain(order);
  const given = await link.next('softwareUpdate');
  expect(given.payload).toMatchObject({ order });
  link.live('receipt', { lanes: { orders: 1 } });
  link.ack(1, given.id, 'received');
  link.ack(2, given.id, 'started', 1);

  const paused = await server.api('POST', '/v1/rollouts/spring/pause', { reason: 'it leaks' });
  expect(paused.body).toMatchObject({ status: 'paused', why: 'by admin: it leaks' });
  expect((await link.next('cancel')).payload).toMatchObject({ orderId: given.id });
  link.live('receipt', { lanes: { orders: 2 } });
  link.ack(3, given.id, 'cancelled', 1);
  await waitFor(async () => (await rollout())['recalled'] === 1);
  const late = await (await member('pump-2')).open();

  const again = await stage(100);
  expect((await server.api('POST', '/v1/rollouts/spring/stage', { order: again })).body['status']).toBe(
    'running',
  );
  expect((await link.next('softwareUpdate', ({ id }) => id !== given.id)).payload).toMatchObject({
    order: again,
  });
  const first = await late.next('softwareUpdate');
  late.ack(1, first.id, 'received');
  late.ack(2, first.id, 'failed', 1, { error: { code: 'probe-failed', message: 'no answer' } });
  // 5 % of two devices is less than one.
  await waitFor(async () => (await rollout())['status'] === 'paused');
  expect(await rollout()).toMatchObject({
    why: '1 of 2 devices failed: probe-failed 1',
    onDevices: [{ deviceId: 'pump-2', code: 'probe-failed', message: 'no answer' }],
  });
  expect((await server.api('POST', '/v1/rollouts/spring/stop', {})).body['status']).toBe('stopped');
});

test('when no device is in the group, or the repository of the server has no such release, it is refused with what to do', async () => {
  const releasesDir = temporaryFolder();
  const holds = await startTestServer({ releasesDir });
  await trustKey(holds);
  const begin = async (change: Record<string, unknown>, more = {}) => {
    const order = await stage(0, change);
    const { status, body } = await holds.api('POST', '/v1/rollouts', { order, ...more });
    return { status, code: body['code'], detail: body['detail'] };
  };
  const detail = (text: string) => expect.stringContaining(text) as string;
  // Before anything is published devices have their releases from elsewhere.
  expect(await begin({})).toMatchObject({
    status: 409,
    code: 'empty-group',
    detail: detail('--empty-group'),
  });
  const repository = await createTestRepository(releasesDir);
  const { digest } = await repository.release({ a: '1' }, { name: 'pump', version: '1.3.0' });
  const unpublished = { status: 409, code: 'release-unpublished' };
  expect(await begin({})).toMatchObject({
    ...unpublished,
    detail: detail('which has of pump 1.3.0: publish it'),
  });
  expect(await begin({ name: 'valve' })).toMatchObject({
    ...unpublished,
    detail: detail('no release valve'),
  });
  const other = { version: '1.3.0', digest: 'f'.repeat(64) };
  expect(await begin(other)).toMatchObject({ ...unpublished, detail: detail('with the digest ffff') });
  const known = { version: '1.3.0', digest };
  expect(await begin(known)).toMatchObject({
    code: 'empty-group',
    detail: detail('no device is in any group'),
  });
  expect(await begin(known, { allowEmptyGroup: true })).toMatchObject({ status: 201 });
  const elsewhere = { name: 'valve', salt: 'valves' };
  expect(await begin(elsewhere, { allowEmptyGroup: true, allowUnpublished: true })).toMatchObject({
    status: 201,
  });

  const stages = '/v1/rollouts/valves/stage';
  const order = await stage(0, elsewhere);
  expect(await holds.api('POST', stages, { order })).toMatchObject({ status: 409 });
  expect(await holds.api('POST', stages, { order, allowUnpublished: true })).toMatchObject({ status: 200 });
});

test('when what is signed would be taken by no device, or by all of a group at once, it is refused', async () => {
  const begin = async (order: string) => (await server.api('POST', '/v1/rollouts', { order })).body['code'];
  expect(await begin(await stage(1, { salt: 's1', by: await createKey() }))).toBe('unknown-signer');
  expect(await begin(await stage(1, { salt: 's2', exp: 1 }))).toBe('signature-expired');
  expect(await begin(await stage(1, { salt: 's3', aud: 'pump-1' }))).toBe('no-rollout');
  expect(await begin(await stage(1, { salt: 'a/b' }))).toBe('no-rollout');
  expect(await begin(await stage(1, { rollout: undefined }))).toBe('no-rollout');
  expect(await begin(await stage(1, { salt: 's4', name: undefined }))).toBe('no-rollout');
  expect(await begin('not.a.jws')).toBe('bad-claims');
  const order = await stage(1, { salt: 'other' });
  expect((await server.api('POST', '/v1/rollouts/spring/stage', { order })).body['code']).toBe(
    'rollout-mismatch',
  );
  expect((await server.api('GET', '/v1/rollouts')).body['rollouts']).toHaveLength(1);
});
