import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openTestGateway, type TestGateway } from '@bowline/device-app/testing';
import { createKey, signClaims, signTrustBundle, writeTrustAnchor, type SigningKey } from '@bowline/identity';
import type { SignedClaims } from '@bowline/messages';
import { startProcess, temporaryFolder, type TestProcess } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, 'main.ts');

let root: SigningKey;
let key: SigningKey;
let commandKey: SigningKey;
beforeAll(async () => {
  [root, key, commandKey] = (await Promise.all([createKey(), createKey(), createKey()])) as [
    SigningKey,
    SigningKey,
    SigningKey,
  ];
});

let folder: string;
let gateway: TestGateway;
let child: TestProcess;
beforeEach(async () => {
  folder = temporaryFolder();
  writeFileSync(join(folder, 'policy.json'), '{"updates":{"channels":["stable"]}}', { mode: 0o600 });
  writeTrustAnchor(join(folder, 'trust-anchor.json'), { rootThumbprint: root.thumbprint });
  gateway = await openTestGateway(join(folder, 'hub'));
  const none = { update: [], access: [], command: [] };
  const keys = { root: [root.publicJwk], ...none, update: [key.publicJwk], command: [commandKey.publicJwk] };
  gateway.bundles.push(await signTrustBundle({ version: 1, keys, threshold: 1 }, [root]));
  start();
});
afterEach(async () => {
  await child.kill();
  await gateway.close();
});

function start(): void {
  child = startProcess(process.execPath, [MAIN], {
    env: {
      PATH: process.env['PATH'],
      BOWLINE_OTA_UPDATER__STATE_DIR: join(folder, 'state'),
      BOWLINE_OTA_UPDATER__HUB_FOLDER: join(folder, 'hub'),
      BOWLINE_OTA_UPDATER__RELEASES_DIR: join(folder, 'releases'),
      BOWLINE_OTA_UPDATER__POLICY_FILE: join(folder, 'policy.json'),
      BOWLINE_OTA_UPDATER__TRUST_ANCHOR_FILE: join(folder, 'trust-anchor.json'),
    },
  });
}
const now = () => Math.floor(Date.now() / 1000);
async function signed(change: Partial<SignedClaims<'softwareUpdate'>> = {}, by = key) {
  const claims: SignedClaims<'softwareUpdate'> = {
    aud: 'd1',
    jti: uuidv7(),
    exp: now() + 300,
    channel: 'stable',
    name: 'kiosk',
    version: '1.0.0',
    ...change,
  };
  const jws = await signClaims('softwareUpdate', by, claims);
  return { orderId: uuidv7(), type: 'softwareUpdate' as const, payload: { order: jws } };
}
const code = async (order: Awaited<ReturnType<typeof signed>>) =>
  (await gateway.outcome('ota-updater', order)).error?.code;

const failed = async (order: Awaited<ReturnType<typeof signed>>) =>
  (await gateway.outcome('ota-updater', order, 'failed')).error?.code;

test('when an order is good, it is begun; else it is refused by the exact rule', async () => {
  expect(await failed(await signed())).toBe('no-update-server');
  expect(await failed(await signed({ aud: 'group:kitchen' }))).toBe('no-update-server');
  expect(await code(await signed({}, commandKey))).toBe('wrong-role');
  expect(await code(await signed({}, await createKey()))).toBe('unknown-signer');
  expect(await code(await signed({ aud: 'd2' }))).toBe('wrong-audience');
  expect(await code(await signed({ exp: now() - 1 }))).toBe('signature-expired');
  expect(await code({ ...(await signed()), payload: {} } as never)).toBe('invalid');
  const { error } = await gateway.outcome('ota-updater', await signed({ channel: 'nightly' }));
  expect(error).toMatchObject({ code: 'not-allowed', message: expect.stringContaining('/updates/channels') });
});

test('when it is killed, a signature that was used before is still refused', async () => {
  const order = await signed();
  expect(await failed(order)).toBe('no-update-server');
  await child.kill('SIGKILL');
  start();
  expect(await code({ ...order, orderId: uuidv7() })).toBe('replayed');
});
