import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { openTestGateway, type TestGateway } from '@bowline/device-app/testing';
import {
  createKey,
  signClaims,
  signTrustBundle,
  verifyHostKeyProof,
  writeTrustAnchor,
  type SigningKey,
} from '@bowline/identity';
import type { SessionStarted, SignedClaims } from '@bowline/messages';
import { needs, startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, 'main.ts');
const APP = 'ssh-broker';
const USER = userInfo().username;
const PUBLIC_KEY = `ssh-ed25519 ${'A'.repeat(68)}`;

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
  const ssh = { users: [USER, 'nobody', 'no-such'], maxSeconds: 600, capabilities: ['pty', 'x11'] };
  writeFileSync(join(folder, 'policy.json'), JSON.stringify({ ssh }), { mode: 0o600 });
  writeTrustAnchor(join(folder, 'trust-anchor.json'), { rootThumbprint: root.thumbprint });
  gateway = await openTestGateway(join(folder, 'hub'));
  const none = { update: [], access: [], command: [] };
  const keys = { root: [root.publicJwk], ...none, access: [key.publicJwk], command: [commandKey.publicJwk] };
  gateway.bundles.push(await signTrustBundle({ version: 1, keys, threshold: 1 }, [root]));
});
afterEach(async () => {
  await child.kill('SIGTERM'); // so that sessions end, with their cgroups
  await gateway.close();
});

function start(more: Record<string, string> = {}): void {
  child = startProcess(process.execPath, [MAIN], { env: { ...environment(), ...more } });
}
const environment = () => ({
  PATH: process.env['PATH'],
  BOWLINE_SSH_BROKER__STATE_DIR: join(folder, 'state'),
  BOWLINE_SSH_BROKER__HUB_FOLDER: join(folder, 'hub'),
  BOWLINE_SSH_BROKER__POLICY_FILE: join(folder, 'policy.json'),
  BOWLINE_SSH_BROKER__TRUST_ANCHOR_FILE: join(folder, 'trust-anchor.json'),
});
const now = () => Math.floor(Date.now() / 1000);
/** A grant whose tunnel leads to a port where nobody listens. */
async function signed(
  change: Partial<SignedClaims<'sshAccess'>> = {},
  { by = key, tunnelUrl = '' }: { by?: SigningKey; tunnelUrl?: string } = {},
) {
  const sessionId = uuidv7();
  const claims: SignedClaims<'sshAccess'> = {
    aud: 'd1',
    jti: uuidv7(),
    exp: now() + 300,
    sessionId,
    user: USER,
    publicKey: PUBLIC_KEY,
    capabilities: ['pty'],
    streams: 1,
    idleSeconds: 60,
    nbf: now(),
    reason: 'test',
    by: 'nobody',
    ...change,
  };
  const grant = await signClaims('sshAccess', by, claims);
  const url = tunnelUrl || `ws://127.0.0.1:1/v1/tunnels/${claims.sessionId}/device`;
  return {
    orderId: uuidv7(),
    type: 'sshAccess' as const,
    payload: { grant, tunnelUrl: url, token: 't' },
    sessionId: claims.sessionId,
  };
}
const outcome = (order: Awaited<ReturnType<typeof signed>>) => gateway.outcome(APP, withoutId(order));
const withoutId = ({ orderId, type, payload }: Awaited<ReturnType<typeof signed>>) => ({
  orderId,
  type,
  payload,
});
const code = async (order: Awaited<ReturnType<typeof signed>>) => (await outcome(order)).error?.code;
const folders = () => readdirSync(join(folder, 'state', 'run'));

test('when the grant is not good, it is refused by the exact rule, before anything is made', async () => {
  start();
  expect(await code(await signed({}, { by: commandKey }))).toBe('wrong-role');
  expect(await code(await signed({}, { by: await createKey() }))).toBe('unknown-signer');
  expect(await code(await signed({ aud: 'd2' }))).toBe('wrong-audience');
  expect(await code(await signed({ exp: now() - 1 }))).toBe('signature-expired');
  expect(await code({ ...(await signed()), payload: {} } as never)).toBe('invalid');
  const policy = async (change: Partial<SignedClaims<'sshAccess'>>) =>
    (await outcome(await signed(change))).error;
  expect(await policy({ user: 'daemon' })).toMatchObject({
    code: 'not-allowed',
    message: expect.stringContaining('/ssh/users'),
  });
  expect((await policy({ exp: now() + 601 }))?.message).toContain('/ssh/maxSeconds');
  expect((await policy({ capabilities: ['pty', 'sftp'] }))?.message).toContain('/ssh/capabilities');
  expect(folders()).toEqual([]);
});

test.runIf(needs('openssh-server'))(
  'when the device itself cannot or will not, the rule is named',
  async () => {
    start();
    expect(await code(await signed({ capabilities: ['x11'] }))).toBe('unknown-capability');
    expect(await code(await signed({ user: 'no-such' }))).toBe('unknown-user');
    expect(await code(await signed({ publicKey: 'command="x" ssh-ed25519 AAAA' }))).toBe('bad-public-key');
    const { publicKey: _, ...rest } = { publicKey: '' };
    expect(await code(await signed({ ...rest, publicKey: PUBLIC_KEY, principal: 'ops' }))).toBe('no-user-ca');
    expect(await code(await signed({ capabilities: [], command: '/bin/sh' }))).toBe('command-not-granted');
    expect(await code(await signed({ streams: 9 }))).toBe('too-many-streams');
    const url = 'ws://relay.example/v1/tunnels/s1/device';
    expect(await code(await signed({ sessionId: 's1' }, { tunnelUrl: url }))).toBe('bad-tunnel-url');
    const other = 'ws://127.0.0.1:1/v1/tunnels/s2/device';
    expect(await code(await signed({ sessionId: 's1' }, { tunnelUrl: other }))).toBe('bad-tunnel-url');
    expect(folders()).toEqual([]);
  },
);

describe.runIf(needs('openssh-server'))('a grant that is good', () => {
  beforeEach(() => start());

  test('when it comes, the session starts with a host key that the device vouches for; once for a user', async () => {
    const order = await signed();
    const { status, attempt, result } = await outcome(order);
    expect({ status, attempt }).toEqual({ status: 'started', attempt: 1 });
    const { hostKey, proof } = result as SessionStarted;
    const hostKeySha256 = createHash('sha256')
      .update(Buffer.from(hostKey.split(' ')[1] ?? '', 'base64'))
      .digest('base64')
      .replace(/=+$/, '');
    const { sessionId } = order;
    const deviceKey = gateway.key.publicJwk;
    await verifyHostKeyProof(proof, { deviceKey, sessionId, hostKeySha256 });
    const evil = {
      deviceKey,
      sessionId,
      hostKeySha256: hostKeySha256.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')),
    };
    await expect(verifyHostKeyProof(proof, evil)).rejects.toMatchObject({ code: 'bad-host-key-proof' });
    expect(folders()).toEqual([`session-${sessionId}`]);
    expect(await code(await signed())).toBe('session-active');
  });

  test('when it was used before, it is refused, also after a kill', async () => {
    const order = await signed();
    await outcome(order);
    await child.kill('SIGKILL');
    start();
    expect(await code({ ...order, orderId: uuidv7() })).toBe('replayed');
  });

  test('when the broker is killed, the session is over: wiped, reported with the end of its order, not opened again', async () => {
    const order = await signed();
    await outcome(order);
    await child.kill('SIGKILL');
    expect(folders()).toHaveLength(1);
    start();
    await waitFor(() => gateway.peers().length > 0 && folders().length === 0);
    const { status, error } = await gateway.reported(order.orderId, 'failed');
    expect({ status, code: error?.code }).toEqual({ status: 'failed', code: 'session-cut-off' });
    await waitFor(() =>
      gateway.events.some(({ event }) => event.kind === 'ssh.ended' && event.data['end'] === 'cut-off'),
    );
    const records = () => readdirSync(join(folder, 'state', 'sessions'));
    await waitFor(() => records().every((name) => !name.endsWith('.json')), { what: 'the record to go' });
  });

  test('when its order is cancelled, the session ends, and that is said', async () => {
    const { sessionId, ...order } = await signed();
    await gateway.outcome(APP, order, 'started');
    expect(await gateway.cancel(APP, order.orderId)).toEqual({ outcome: 'stopping' });
    expect(await gateway.reported(order.orderId, 'cancelled')).toMatchObject({
      result: { sessionId, survivors: 0 },
    });
    expect(folders()).toEqual([]);
  });

  test('when its bounds are changed from the cloud, sessions go on, and the next grant is judged by them', async () => {
    const order = await signed();
    await outcome(order);
    expect(await gateway.configure(APP, { maxStreams: 1, recordBytes: 8192 })).toMatchObject({
      faults: [],
      restarts: false,
    });
    expect(await code(await signed({ streams: 2 }))).toBe('too-many-streams');
    expect(folders()).toEqual([`session-${order.sessionId}`]);
  });

  test('when nothing moves for as long as the grant says, the session ends', async () => {
    const { sessionId, ...order } = await signed({ idleSeconds: 1 });
    await gateway.outcome(APP, order, 'started');
    expect(await gateway.reported(order.orderId, 'succeeded')).toMatchObject({
      result: { sessionId, end: 'idle', survivors: 0 },
    });
  });

  test('when the broker hangs, what runs in a session ends in its time all the same', async () => {
    const { sessionId, ...order } = await signed({ exp: now() + 8 });
    await gateway.outcome(APP, order, 'started');
    const left = startProcess('sleep', ['1000'], { env: { ...process.env, BOWLINE_SESSION: sessionId } });
    await waitFor(() => gateway.events.some(({ event }) => event.kind === 'ssh.started'));
    process.kill(child.pid, 'SIGSTOP');
    try {
      expect(await left.exited).toMatchObject({ signal: 'SIGKILL' });
    } finally {
      process.kill(child.pid, 'SIGCONT');
    }
    const { result } = await gateway.reported(order.orderId, 'succeeded');
    expect(result).toMatchObject({ sessionId, end: 'expired', survivors: 0 });
  });

  test('when the broker is asked to stop, sessions end first', async () => {
    const { sessionId, ...order } = await signed();
    await gateway.outcome(APP, order, 'started');
    expect(await child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(await gateway.reported(order.orderId, 'failed')).toMatchObject({
      result: { sessionId, end: 'broker-stopped', survivors: 0 },
    });
    expect(folders()).toEqual([]);
  });
});

describe.runIf(needs('openssh-server'))('a broker that is set up otherwise', () => {
  test.runIf(needs('faketime'))(
    'when the wall clock jumps by a year, forth and back, a session is neither shorter nor longer',
    async () => {
      const clock = join(folder, 'clock');
      const jump = (by: string) => writeFileSync(clock, `${by}\n`);
      jump('+0d');
      start({
        LD_PRELOAD: globSync('/usr/lib/*/faketime/libfaketime.so.1')[0] ?? '',
        FAKETIME_TIMESTAMP_FILE: clock,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      });
      await waitFor(() => gateway.peers().length > 0);
      const { sessionId, ...order } = await signed({ exp: now() + 7 });
      await gateway.outcome(APP, order, 'started');
      jump('+365d');
      const at = (kind: string) => gateway.events.find(({ event }) => event.kind === kind)?.event.at ?? 0;
      await new Promise((done) => setTimeout(done, 1000)); // many looks at the time
      expect(folders()).toEqual([`session-${sessionId}`]);
      jump('-365d');
      const { result } = await gateway.reported(order.orderId, 'succeeded');
      expect(result).toMatchObject({ sessionId, end: 'expired', survivors: 0 });
      expect((result as { seconds: number }).seconds).toBeLessThan(60);
      await waitFor(() => at('ssh.ended') > 0);
      expect(at('ssh.ended')).toBeLessThan(at('ssh.started') - 300 * 86_400_000); // it was really seen
    },
    30_000,
  );

  test('when sshd is installed after the start, the next grant opens a session, and the operators are told', async () => {
    const sshd = join(folder, 'sshd');
    start({ BOWLINE_SSH_BROKER__SSHD_PATH: sshd });
    expect(await code(await signed())).toBe('no-sshd');
    symlinkSync('/usr/sbin/sshd', sshd);
    expect(await outcome(await signed())).toMatchObject({ status: 'started' });
    await waitFor(() =>
      gateway.events.some(({ event }) => event.kind === 'ssh.ready' && event.data['sshd'] === sshd),
    );
  });

  test('when more sessions begin than the device lets begin in a row, the next is refused', async () => {
    start({ BOWLINE_SSH_BROKER__GRANTS_BURST: '1', BOWLINE_SSH_BROKER__GRANTS_EVERY_MS: '3600000' });
    const { sessionId: _, ...order } = await signed();
    await gateway.outcome(APP, order, 'started');
    await gateway.cancel(APP, order.orderId);
    await gateway.reported(order.orderId, 'cancelled');
    expect(await code(await signed())).toBe('too-many-grants');
  });

  test('when the broker was killed before it knew that the gateway has an end, it is told once more, and the record goes', async () => {
    await child.kill('SIGKILL');
    const [orderId, sessionId] = [uuidv7(), uuidv7()];
    const result = { sessionId, end: 'expired', survivors: 0 };
    const grant = { sessionId, user: USER, by: 'ada', reason: 'test', jti: uuidv7() };
    const record = { orderId, bootId: 'b', grant, outcome: { status: 'succeeded', result } };
    mkdirSync(join(folder, 'state', 'sessions'), { recursive: true });
    writeFileSync(join(folder, 'state', 'sessions', `${orderId}.json`), JSON.stringify(record));
    start();
    expect(await gateway.reported(orderId, 'succeeded')).toMatchObject({ result });
    await waitFor(() => readdirSync(join(folder, 'state', 'sessions')).length === 0);
  });

  test('when a session cannot be opened, nothing of it stays, and the audit says so', async () => {
    start({ BOWLINE_SSH_BROKER__SSH_KEYGEN_PATH: '/bin/false' });
    const { sessionId, ...order } = await signed();
    expect(await gateway.outcome(APP, order, 'failed')).toMatchObject({ error: { code: 'session-cut-off' } });
    expect(folders()).toEqual([]);
    const group = `bowline-ssh-${sessionId}`;
    expect(globSync(`/sys/fs/cgroup/**/${group}`)).toEqual([]);
    await waitFor(() => gateway.events.some(({ event }) => event.kind === 'ssh.failed'));
  });

  test('when a folder is left of a session that is on no record, what runs of it ends at the start', async () => {
    const sessionId = uuidv7();
    mkdirSync(join(folder, 'state', 'run', `session-${sessionId}`), { recursive: true, mode: 0o711 });
    const left = startProcess('sleep', ['1000'], { env: { ...process.env, BOWLINE_SESSION: sessionId } });
    start();
    expect(await left.exited).toMatchObject({ signal: 'SIGKILL' });
    await waitFor(() => folders().length === 0);
    await waitFor(() => gateway.events.find(({ event }) => event.kind === 'ssh.ended'));
    expect(gateway.events.find(({ event }) => event.kind === 'ssh.ended')?.event.data).toMatchObject({
      sessionId,
      end: 'cut-off',
      survivors: 0,
    });
  });
});
