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
  writeFileSync(
    join(folder, 'policy.json'),
    '{"ssh":{"users":["support"],"maxSeconds":600,"capabilities":["pty"]}}',
    { mode: 0o600 },
  );
  writeTrustAnchor(join(folder, 'trust-anchor.json'), { rootThumbprint: root.thumbprint });
  gateway = await openTestGateway(join(folder, 'hub'));
  const none = { update: [], access: [], command: [] };
  const keys = { root: [root.publicJwk], ...none, access: [key.publicJwk], command: [commandKey.publicJwk] };
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
      BOWLINE_SSH_BROKER__STATE_DIR: join(folder, 'state'),
      BOWLINE_SSH_BROKER__HUB_FOLDER: join(folder, 'hub'),
      BOWLINE_SSH_BROKER__POLICY_FILE: join(folder, 'policy.json'),
      BOWLINE_SSH_BROKER__TRUST_ANCHOR_FILE: join(folder, 'trust-anchor.json'),
    },
  });
}
const now = () => Math.floor(Date.now() / 1000);
async function signed(change: Partial<SignedClaims<'sshAccess'>> = {}, by = key) {
  const claims: SignedClaims<'sshAccess'> = {
    aud: 'd1',
    jti: uuidv7(),
    exp: now() + 300,
    sessionId: 's1',
    user: 'support',
    publicKey: 'ssh-ed25519 AAAA',
    capabilities: ['pty'],
    streams: 1,
    idleSeconds: 60,
    nbf: now(),
    reason: 'test',
    by: 'nobody',
    ...change,
  };
  const jws = await signClaims('sshAccess', by, claims);
  return {
    orderId: uuidv7(),
    type: 'sshAccess' as const,
    payload: { grant: jws, tunnelUrl: 'wss://host/v1/tunnels/s1/device', token: 't' },
  };
}
const code = async (order: Awaited<ReturnType<typeof signed>>) =>
  (await gateway.outcome('ssh-broker', order)).error?.code;

test('when an order is good, it is answered that nothing can be done yet; else by the exact rule', async () => {
  expect(await code(await signed())).toBe('unsupported');
  expect(await code(await signed({ aud: 'group:kitchen' }))).toBe('unsupported');
  expect(await code(await signed({}, commandKey))).toBe('wrong-role');
  expect(await code(await signed({}, await createKey()))).toBe('unknown-signer');
  expect(await code(await signed({ aud: 'd2' }))).toBe('wrong-audience');
  expect(await code(await signed({ exp: now() - 1 }))).toBe('signature-expired');
  expect(await code({ ...(await signed()), payload: {} } as never)).toBe('invalid');
  const { error } = await gateway.outcome('ssh-broker', await signed({ user: 'root' }));
  expect(error).toMatchObject({ code: 'not-allowed', message: expect.stringContaining('/ssh/users') });
});

test('when it is killed, a signature that was used before is still refused', async () => {
  const order = await signed();
  expect(await code(order)).toBe('unsupported');
  await child.kill('SIGKILL');
  start();
  expect(await code({ ...order, orderId: uuidv7() })).toBe('replayed');
});
