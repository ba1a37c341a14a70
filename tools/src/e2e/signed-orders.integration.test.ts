import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyFromPem, signClaims } from '@bowline/identity';
import { startProcess, temporaryFolder, waitFor } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { beforeAll, expect, test } from 'vitest';
import { DEVICE_ID } from '../demo/layout.ts';
import { WORKSPACE } from '../test/run.ts';
import { TestFleet } from './test-fleet.ts';
import { signerToken, TestSigner } from './test-signer.ts';

let fleet: TestFleet;
let folder: string;
beforeAll(async () => {
  fleet = await TestFleet.make();
  folder = temporaryFolder();
  await fleet.startServer();
  await fleet.prepareDevice();
  const policy = { commands: { ping: { signed: true }, listCommands: {} } };
  writeFileSync(join(fleet.layout.configDir, 'policy.json'), JSON.stringify(policy), { mode: 0o600 });
  await fleet.startDevice();
  await fleet.untilOnline();
});

const SIGNER_ENV = { BOWLINE_SIGNER_TOKEN: signerToken('ada') };

/** The operator's own machine: keys there, the server far away. */
async function bowline(...args: string[]): Promise<{ code: number | null; out: string }> {
  const main = join(WORKSPACE, 'apps/cli/dist/main.js');
  const child = startProcess(process.execPath, [main, ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, NO_COLOR: '1', ...fleet.operatorEnv, ...SIGNER_ENV },
  });
  const { code } = await child.exited;
  return { code, out: child.stdout() + child.stderr() };
}
const rootKey = () => join(fleet.layout.serverDir, 'root-key.pem');
const ping = ['fleet', 'command', DEVICE_ID, 'ping'];

test('when a key is made, put into the trust bundle and published, an order that it signs runs, and no other', async () => {
  const plain = await bowline(...ping);
  expect(plain).toMatchObject({ code: 11, out: expect.stringContaining('/commands/ping/signed') });

  expect((await bowline('keys', 'new', 'ops')).code).toBe(0);
  const early = await bowline(...ping, '--sign', 'ops');
  expect(early).toMatchObject({ code: 11, out: expect.stringContaining('unknown-signer') });

  expect((await bowline('fleet', 'trust', 'add-key', 'command', 'ops')).code).toBe(0);
  const unsigned = await bowline('fleet', 'trust', 'publish', 'trust-draft.json');
  expect(unsigned).toMatchObject({ code: 2, out: expect.stringContaining('needs 1 signatures') });
  expect((await bowline('fleet', 'trust', 'sign', 'trust-draft.json', rootKey())).code).toBe(0);
  expect((await bowline('fleet', 'trust', 'publish', 'trust-draft.json')).code).toBe(0);
  const shown = JSON.parse((await bowline('fleet', 'trust', 'show', '--json')).out) as { version: number };
  expect(shown.version).toBe(2);

  const signed = await bowline(...ping, '--sign', 'ops');
  expect(signed).toMatchObject({ code: 0, out: expect.stringContaining('"pong": true') });
});

test('when the server is captured, what it holds makes no device run a command that needs a signature', async () => {
  const orders = await fleet.api.orders(DEVICE_ID);
  const used = orders.find(({ status }) => status === 'succeeded')?.payload['signed'];
  const serversKey = await keyFromPem(readFileSync(rootKey(), 'utf8'));
  const orderId = uuidv7();
  const exp = Math.floor(Date.now() / 1000) + 60;
  const own = await signClaims('command', serversKey, { orderId, aud: DEVICE_ID, name: 'ping', exp });

  const outcome = async (id: string, payload: object) => {
    await fleet.api.give(DEVICE_ID, { orderId: id, type: 'command', payload });
    return waitFor(async () => {
      const { status, error } = await fleet.api.order(id);
      return status === 'rejected' && error?.code;
    });
  };
  expect(await outcome(orderId, { signed: own })).toBe('wrong-role');
  expect(await outcome(uuidv7(), { signed: used })).toBe('wrong-order');
  expect(await outcome(uuidv7(), { name: 'ping' })).toBe('signature-needed');
});

test('when a signer process holds the key, an order runs that its policy allows, and no other is signed', async () => {
  const command = { names: ['ping'], audiences: [DEVICE_ID], maxSeconds: 600 };
  const key = join(folder, '.config/bowline/keys/ops.pem');
  const { url } = await TestSigner.start({ command: key }, { ada: { command } });

  expect(await bowline(...ping, '--signer', url)).toMatchObject({ code: 0 });
  const refused = await bowline('fleet', 'command', DEVICE_ID, 'listCommands', '--signer', url);
  expect(refused).toMatchObject({ code: 6, out: expect.stringContaining('/command/names') });
});
