import { createHash } from 'node:crypto';
import { appendFileSync, chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKeyFile, verifyClaims, type SigningKey } from '@bowline/identity';
import { isRunning, startProcess, temporaryFolder, type TestProcess } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { beforeEach, describe, expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, 'main.ts');
const TOKEN = 'a-token-of-ada';

let folder: string;
let key: SigningKey;
let child: TestProcess;
let url: string;
beforeEach(async () => {
  folder = temporaryFolder();
  key = await createKeyFile(join(folder, 'command.pem'));
  writePolicy({ names: ['reboot'], audiences: ['d1'], maxSeconds: 600 });
  await start();
});

const at = (name: string) => join(folder, name);
function writePolicy(command: object): void {
  const tokenSha256 = createHash('sha256').update(TOKEN).digest('hex');
  writeFileSync(at('policy.json'), JSON.stringify({ operators: { ada: { tokenSha256, command } } }), {
    mode: 0o600,
  });
}
function run(): TestProcess {
  const flags = { stateDir: at('state'), policyFile: at('policy.json'), 'keys.command': at('command.pem') };
  const args = Object.entries({ ...flags, port: '0', infoFile: at('info.json') }).map(
    ([k, v]) => `--${k}=${v}`,
  );
  return startProcess(process.execPath, [MAIN, ...args], { env: { PATH: process.env['PATH'] } });
}
async function start(): Promise<void> {
  child = run();
  await child.output(/"message":"listening"/);
  ({ url } = JSON.parse(readFileSync(at('info.json'), 'utf8')) as { url: string });
}
const now = () => Math.floor(Date.now() / 1000);
const claims = (change: object = {}) => ({
  orderId: uuidv7(),
  aud: 'd1',
  name: 'reboot',
  exp: now() + 300,
  ...change,
});
async function ask(body: object, token = TOKEN) {
  const response = await fetch(`${url}/v1/signatures`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const lines = () =>
  readFileSync(at('state/audit.ndjson'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('the signer as a process', () => {
  test('when its policy allows it, it signs with its key, and the audit log has it', async () => {
    const wanted = claims();
    const { status, body } = await ask({ type: 'command', claims: wanted });
    expect(status).toBe(201);
    const none = { root: [], update: [], access: [] };
    const bundle = { version: 1, keys: { ...none, command: [key.publicJwk] }, threshold: 1 };
    const expected = { bundle, deviceId: 'd1', groups: [], orderId: wanted.orderId };
    const verified = await verifyClaims('command', String(body['jws']), expected);
    expect(verified.claims).toMatchObject({ ...wanted, iat: expect.any(Number) });
    expect(lines()).toMatchObject([{ seq: 1, operator: 'ada', outcome: 'signed', signer: key.thumbprint }]);
  });

  test('when its policy or its keys do not allow it, it refuses by that rule', async () => {
    const refused = async (type: string, wanted: object, token = TOKEN) => {
      const { status, body } = await ask({ type, claims: wanted }, token);
      return `${status} ${String(body['code'])} ${String(body['detail'])}`;
    };
    expect(await refused('command', claims(), 'another')).toMatch(/^401 unauthorized/);
    expect(await refused('command', claims({ name: 'erase' }))).toMatch(
      /^403 not-allowed .*\/command\/names/,
    );
    expect(await refused('command', claims({ aud: 'd2' }))).toMatch(/\/command\/audiences/);
    expect(await refused('command', claims({ exp: now() + 900 }))).toMatch(/\/command\/maxSeconds/);
    expect(await refused('command', claims({ exp: now() - 1 }))).toMatch(/exp is past/);
    const update = { aud: 'd1', jti: 'j', channel: 'stable', exp: now() + 60 };
    expect(await refused('softwareUpdate', update)).toMatch(/\/softwareUpdate is not allowed/);
    expect(await refused('command', { name: 'reboot' })).toMatch(/^400 invalid/);
    expect(lines().every(({ outcome }) => outcome === 'not-allowed')).toBe(true);
  });

  test('when its policy is broken or open to others, it signs nothing until that is mended', async () => {
    chmodSync(at('policy.json'), 0o666);
    expect(await ask({ type: 'command', claims: claims() })).toMatchObject({
      status: 503,
      body: { code: 'signer-policy-broken' },
    });
    chmodSync(at('policy.json'), 0o600);
    expect((await ask({ type: 'command', claims: claims() })).status).toBe(201);
  });

  test('when its policy names an operator as none can be called, that is told and not left unchecked', async () => {
    writeFileSync(at('policy.json'), JSON.stringify({ operators: { 'ada lovelace': { tokenSha256: 'x' } } }));
    const { status, body } = await ask({ type: 'command', claims: claims() });
    expect({ status, code: body['code'] }).toEqual({ status: 503, code: 'signer-policy-broken' });
  });

  test('when it is killed in the middle of a line, the chain goes on; when a line was changed, it signs nothing', async () => {
    await ask({ type: 'command', claims: claims() });
    await child.kill('SIGKILL');
    appendFileSync(at('state/audit.ndjson'), '{"seq":2,"cut');
    await start();
    await ask({ type: 'command', claims: claims() });
    expect(lines().map(({ seq }) => seq)).toEqual([1, 2]);

    await child.kill('SIGKILL');
    const text = readFileSync(at('state/audit.ndjson'), 'utf8');
    writeFileSync(at('state/audit.ndjson'), text.replace('"ada"', '"eve"'));
    const refusing = run();
    await refusing.output(/"code":"audit-broken".*misconfigured/);
    expect(isRunning(refusing.pid)).toBe(true);
  });

  test('when its key is open to others, it says so and listens nowhere', async () => {
    await child.kill('SIGKILL');
    chmodSync(at('command.pem'), 0o644);
    const refusing = run();
    await refusing.output(/"code":"file-unsafe".*misconfigured/);
    expect(refusing.stdout()).not.toContain('"listening"');
  });
});
