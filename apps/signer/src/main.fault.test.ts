import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { createKeyFile, verifyClaims, type SigningKey } from '@bowline/identity';
import { isRunning, startProcess, temporaryFolder, type TestProcess } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { beforeEach, describe, expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, 'main.ts');
const TOKEN = 'a-token-of-ada';
/** A mount namespace of its own, for a small disk that is gone with the process. */
const UNSHARE = ['--map-root-user', '--mount', '--'];
const canMount = spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

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
function run(more: Record<string, string> = {}): TestProcess {
  return startProcess(process.execPath, [MAIN, ...flagsOf(more)], { env: { PATH: process.env['PATH'] } });
}
function flagsOf(more: Record<string, string>): string[] {
  const files = { stateDir: at('state'), policyFile: at('policy.json'), 'keys.command': at('command.pem') };
  return Object.entries({ ...files, port: '0', infoFile: at('info.json'), ...more }).map(
    ([name, value]) => `--${name}=${value}`,
  );
}
async function start(more: Record<string, string> = {}): Promise<void> {
  child = run(more);
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
    expect(lines()).toMatchObject([
      { seq: 1, outcome: 'signed' },
      { seq: 2, outcome: 'repaired', claims: { cutBytes: 13 } },
      { seq: 3, outcome: 'signed' },
    ]);
    expect(child.stdout()).toContain('"cutBytes":13');

    await child.kill('SIGKILL');
    const text = readFileSync(at('state/audit.ndjson'), 'utf8');
    writeFileSync(at('state/audit.ndjson'), text.replace('"ada"', '"eve"'));
    const refusing = run();
    await refusing.output(/"code":"audit-broken".*misconfigured/);
    expect(isRunning(refusing.pid)).toBe(true);
  });

  test('when a file of its audit log is full, the chain goes on in the next, also over a restart, and the oldest go', async () => {
    await child.kill();
    const bounds = { 'audit.fileBytes': '4096', 'audit.files': '3', 'rate.signaturesBurst': '1000' };
    await start(bounds);
    const logFiles = () =>
      readdirSync(at('state'))
        .filter((name) => name.endsWith('.ndjson'))
        .toSorted();
    const sign = async () => expect((await ask({ type: 'command', claims: claims() })).status).toBe(201);
    while (logFiles().length < 3 || logFiles()[0] === 'audit.000000000001.ndjson') await sign();
    expect(logFiles()).toHaveLength(3);
    await child.kill('SIGKILL');
    await start(bounds);
    await sign();
    const all = logFiles().flatMap((name) =>
      readFileSync(at(`state/${name}`), 'utf8')
        .trimEnd()
        .split('\n'),
    );
    const previous = all.map((line) => (JSON.parse(line) as { previous: string }).previous);
    expect(previous.slice(1)).toEqual(
      all.slice(0, -1).map((line) => createHash('sha256').update(line).digest('hex')),
    );

    await child.kill('SIGKILL');
    rmSync(at(`state/${logFiles()[1]}`));
    await run(bounds).output(/"code":"audit-broken".*misconfigured/);
  });

  test('when somebody asks too fast, or is refused too often, he has to wait, and the log does not fill', async () => {
    await child.kill();
    await start({
      'rate.signaturesBurst': '10',
      'rate.signaturesPerSecond': '0.001',
      'rate.refusalsBurst': '2',
      'rate.refusalsPerSecond': '0.001',
    });
    const asked = async (wanted: object, token = TOKEN) =>
      (await ask({ type: 'command', claims: wanted }, token)).status;
    for (let n = 0; n < 5; n += 1) expect(await asked(claims({ name: 'erase' }))).toBe(403);
    for (let n = 0; n < 5; n += 1) expect(await asked(claims())).toBe(201);
    expect(await asked(claims())).toBe(429);
    expect(lines().map(({ outcome, unwritten }) => [outcome, unwritten])).toEqual([
      ['not-allowed', undefined],
      ['not-allowed', undefined],
      ['signed', 3],
      ...Array.from({ length: 4 }, () => ['signed', undefined]),
    ]);
    expect(await asked(claims(), 'stranger')).toBe(401);
    expect(await asked(claims(), 'stranger')).toBe(401);
    expect(await asked(claims(), 'stranger')).toBe(429);
  });

  test.skipIf(!canMount)(
    'when its disk is full, nothing is signed, and no half line stays before the next whole one',
    async () => {
      await child.kill();
      const disk = temporaryFolder();
      const signer = startProcess('unshare', [
        ...UNSHARE,
        'sh',
        '-c',
        `mount -t tmpfs -o size=256k tmpfs ${disk} && exec "$@"`,
        'sh',
        process.execPath,
        MAIN,
        ...flagsOf({ stateDir: join(disk, 'state') }),
      ]);
      await signer.output(/"message":"listening"/);
      ({ url } = JSON.parse(readFileSync(at('info.json'), 'utf8')) as { url: string });
      const inside = (...names: string[]) => join(`/proc/${signer.pid}/root`, disk, ...names);
      writePolicy({ names: ['reboot'], audiences: ['d1'], maxSeconds: 600 });
      const sign = async () =>
        ask({ type: 'command', claims: claims({ params: { text: 'x'.repeat(3000) } }) });
      expect((await sign()).status).toBe(201);
      const filler = openSync(inside('filler'), 'w');
      expect(() => {
        for (;;) writeSync(filler, Buffer.alloc(4096, 1));
      }).toThrow('ENOSPC');
      closeSync(filler);
      // A page that has room left takes the beginning of a line.
      let refusals = 0;
      for (let n = 0; n < 4; n += 1) {
        const { status, body } = await sign();
        if (status !== 503) continue;
        expect(body).toMatchObject({ code: 'audit-unwritable' });
        expect(body).not.toHaveProperty('jws');
        refusals += 1;
      }
      expect(refusals).toBeGreaterThan(1);
      rmSync(inside('filler'));
      expect((await sign()).status).toBe(201);
      const written = readFileSync(inside('state/audit.ndjson'), 'utf8').trimEnd().split('\n');
      const seqs = written.map((line) => (JSON.parse(line) as { seq: number }).seq);
      expect(seqs).toEqual(seqs.map((_, index) => index + 1));
      expect(seqs.length).toBe(2 + (4 - refusals));
      await signer.kill();
    },
  );

  test('when its key is open to others, it says so and listens nowhere', async () => {
    await child.kill('SIGKILL');
    chmodSync(at('command.pem'), 0o644);
    const refusing = run();
    await refusing.output(/"code":"file-unsafe".*misconfigured/);
    expect(refusing.stdout()).not.toContain('"listening"');
  });
});
