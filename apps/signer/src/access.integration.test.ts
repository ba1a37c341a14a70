import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKeyFile, verifyClaims, type SigningKey } from '@bowline/identity';
import { startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, 'main.ts');
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const POLICY = { users: ['support'], audiences: ['d1'], maxSeconds: 3600 };

let key: SigningKey;
let signer: TestProcess;
let url: string;
beforeAll(async () => {
  key = await createKeyFile(at('access.pem'));
  await createKeyFile(at('command.pem'));
  writePolicy({ ada: { sshAccess: POLICY }, bob: { sshAccess: POLICY } });
  await start();
});

const tokenOf = (name: string) => `token-of-${name}`;
function writePolicy(operators: Record<string, object>): void {
  const hashed = Object.entries(operators).map(([name, rules]) => {
    const tokenSha256 = createHash('sha256').update(tokenOf(name)).digest('hex');
    return [name, { tokenSha256, ...rules }];
  });
  writeFileSync(at('policy.json'), JSON.stringify({ operators: Object.fromEntries(hashed) }), {
    mode: 0o600,
  });
}
async function start(more: Record<string, string> = {}): Promise<void> {
  const flags = {
    stateDir: at('state'),
    policyFile: at('policy.json'),
    'keys.access': at('access.pem'),
    'keys.command': at('command.pem'),
    port: '0',
    infoFile: at('info.json'),
    'rate.signaturesBurst': '1000',
    'rate.refusalsBurst': '1000',
    ...more,
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  signer = startProcess(process.execPath, [MAIN, ...args], { env: { PATH: process.env['PATH'] } });
  await signer.output(/"message":"listening"/);
  ({ url } = JSON.parse(readFileSync(at('info.json'), 'utf8')) as { url: string });
}

const FORM = {
  device: 'd1',
  user: 'support',
  reason: 'the pump is silent',
  minutes: '15',
  idleMinutes: '5',
  streams: '2',
  operator: 'ada',
  token: tokenOf('ada'),
};
/** Sends the form of the page, as a browser does from there unless other headers are given. */
async function send(
  change: Record<string, string> = {},
  { headers = { origin: url } as Record<string, string>, capabilities = ['pty', 'exec'] } = {},
) {
  const body = new URLSearchParams({ ...FORM, ...change });
  for (const name of capabilities) body.append('capability', name);
  const response = await fetch(`${url}/access`, { method: 'POST', headers, body });
  return { status: response.status, page: await response.text() };
}
async function approve(change: Record<string, string> = {}): Promise<string> {
  const { page } = await send(change);
  return /aria-label="Code">\s*([\w-]{22})\s*</.exec(page)?.[1] ?? `none in ${page}`;
}
const now = () => Math.floor(Date.now() / 1000);
const grant = (change: object = {}) => ({
  aud: 'd1',
  jti: 'j-1',
  nbf: now(),
  exp: now() + 900,
  sessionId: 's-1',
  user: 'support',
  publicKey: 'ssh-ed25519 AAAA',
  capabilities: ['exec'],
  streams: 2,
  idleSeconds: 300,
  reason: FORM.reason,
  by: 'ada',
  ...change,
});
async function sign(code: string, claims: object = grant(), type = 'sshAccess') {
  const response = await fetch(`${url}/v1/signatures`, {
    method: 'POST',
    headers: { authorization: `Bearer ${code}`, 'content-type': 'application/json' },
    body: JSON.stringify({ type, claims }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const codeOf = ({ status, body }: Awaited<ReturnType<typeof sign>>) => `${status} ${String(body['code'])}`;
const audit = () =>
  readFileSync(at('state/audit.ndjson'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('the page of the signer', () => {
  test('when a person approves, the code that it shows has one grant signed, in the name of that person', async () => {
    const code = await approve();
    const told = await fetch(`${url}/v1/approval`, { headers: { authorization: `Bearer ${code}` } });
    expect(await told.json()).toMatchObject({
      operator: 'ada',
      wish: {
        deviceId: 'd1',
        user: 'support',
        seconds: 900,
        capabilities: ['pty', 'exec'],
        idleSeconds: 300,
      },
    });
    const { status, body } = await sign(code, grant({ by: 'bob' }));
    expect(status).toBe(201);
    const none = { root: [], update: [], command: [] };
    const bundle = { version: 1, keys: { ...none, access: [key.publicJwk] }, threshold: 1 };
    const expected = { bundle, deviceId: 'd1', groups: [], orderId: 'any' };
    const { claims } = await verifyClaims('sshAccess', String(body['jws']), expected);
    expect(claims).toMatchObject({ user: 'support', by: 'ada', reason: FORM.reason });
    const [approved, signed] = audit().slice(-2);
    expect(approved).toMatchObject({ operator: 'ada', outcome: 'approved', claims: { deviceId: 'd1' } });
    expect(signed).toMatchObject({ operator: 'ada', outcome: 'signed', approval: approved?.['seq'] });

    expect(codeOf(await sign(code))).toBe('410 approval-used');
  });

  test('when two come at once with the same code, one of them gets a signature', async () => {
    const code = await approve();
    const statuses = (await Promise.all([1, 2, 3].map(() => sign(code)))).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([201, 410, 410]);
  });

  test('when a form comes from another origin, or from none, nothing is approved, though token and all are right', async () => {
    for (const headers of [{ origin: 'http://127.0.0.1:1' }, { origin: 'null' }, {}] as Record<
      string,
      string
    >[]) {
      const { status, page } = await send({}, { headers });
      expect({ status, page }).toMatchObject({
        status: 403,
        page: expect.stringContaining('not sent by the page'),
      });
    }
    const { status, page } = await send({}, { headers: { origin: url.replace('127.0.0.1', 'localhost') } });
    expect({ status, page }).toMatchObject({ status: 403, page: expect.stringContaining(`${url}/access`) });
  });

  test('when somebody asks in the name of another, or with a token that is not his, he is refused', async () => {
    for (const change of [
      { operator: 'bob' },
      { token: tokenOf('bob') },
      { token: 'wrong' },
      { token: '' },
    ]) {
      const { status, page } = await send(change as Record<string, string>);
      expect({ status, page }).toMatchObject({
        status: 401,
        page: expect.stringContaining('name or the token'),
      });
      expect(page).toContain(FORM.reason);
      expect(page).not.toContain('token-of');
    }
  });

  test('when the policy or the form is against it, that is told, and the log has what the policy refused', async () => {
    const refused = async (change: Record<string, string>) => {
      const { status, page } = await send(change);
      return `${status} ${/role="alert">([^<]*)/.exec(page)?.[1]}`;
    };
    expect(await refused({ user: 'root' })).toMatch(/^403 .*\/sshAccess\/users does not permit root/);
    expect(await refused({ device: 'd2' })).toMatch(/^403 .*\/sshAccess\/audiences/);
    expect(await refused({ minutes: '61' })).toMatch(/^403 .*\/sshAccess\/maxSeconds/);
    expect(audit().at(-1)).toMatchObject({ operator: 'ada', outcome: 'not-allowed' });
    expect(await refused({ minutes: 'long' })).toMatch(/^400 .*seconds/);
    expect(await refused({ reason: ' ' })).toMatch(/^400 .*reason/);
  });

  test('when a code is shown for more than was approved, it signs nothing, and is good for what was', async () => {
    const code = await approve();
    const beyond = async (change: object, type?: string) => codeOf(await sign(code, grant(change), type));
    for (const change of [
      { aud: 'd2' },
      { user: 'root' },
      { reason: 'another' },
      { exp: now() + 1000 },
      { nbf: now() - 100 },
      { capabilities: ['exec', 'sftp'] },
      { streams: 3 },
      { idleSeconds: 301 },
      { principal: 'ops' },
    ])
      expect({ change, answer: await beyond(change) }).toEqual({ change, answer: '403 not-approved' });
    const command = {
      orderId: '019a0000-0000-7000-8000-000000000001',
      aud: 'd1',
      name: 'reboot',
      exp: now() + 60,
    };
    expect(codeOf(await sign(code, command, 'command'))).toBe('403 not-approved');
    writePolicy({ bob: { sshAccess: POLICY } });
    expect(codeOf(await sign(code))).toBe('403 not-allowed');
    writePolicy({ ada: { sshAccess: POLICY }, bob: { sshAccess: POLICY } });
    expect((await sign(code)).status).toBe(201);
  });

  test('when an address proposes markup, the page shows it as text, and lets nothing of others run or frame it', async () => {
    const evil = '"><script>alert(1)</script>';
    const response = await fetch(
      `${url}/access?${new URLSearchParams({ device: evil, reason: evil, seconds: '90' })}`,
    );
    const page = await response.text();
    expect(page).not.toContain('<script');
    expect(page).toContain('&lt;script&gt;');
    expect(page).toMatch(/name="minutes"[^>]*value="2"/);
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    expect(response.headers.get('set-cookie')).toBeNull();
  });

  test('when its time is over, or the signer was started anew, a code is good for nothing', async () => {
    const forgotten = await approve();
    await signer.kill();
    await start({ 'approvals.validMs': '1000' });
    expect(codeOf(await sign(forgotten))).toBe('401 unauthorized');
    const code = await approve();
    const open = async () =>
      (await fetch(`${url}/v1/approval`, { headers: { authorization: `Bearer ${code}` } })).ok;
    await waitFor(async () => !(await open()), { what: 'the end of the approval' });
    expect(codeOf(await sign(code))).toBe('410 approval-expired');
  });

  test('when a proxy has another address, forms from there are taken, and the command names it', async () => {
    await signer.kill();
    await start({ publicUrl: 'https://Signer.example' });
    const { status, page } = await send({}, { headers: { origin: 'https://signer.example' } });
    expect(status).toBe(201);
    expect(page).toContain('npx bowline ssh --signer https://signer.example d1');
    expect((await send({}, { headers: { origin: url } })).status).toBe(403);
  });
});
