import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { openTestGateway, type TestGateway } from '@bowline/device-app/testing';
import {
  AUDIT_START,
  createKey,
  followAuditChain,
  signClaims,
  signTrustBundle,
  writeTrustAnchor,
} from '@bowline/identity';
import type { AuditEntry } from '@bowline/messages';
import { isRunning, needs, startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { ATTACHED, openTestRelay, PAIRED, type TestRelay } from './testing/test-relay.ts';

const APP = 'ssh-broker';
const MAIN = join(import.meta.dirname, 'main.ts');
const UNSHARE = ['--mount', '--map-root-user', '--propagation', 'private'];
const canMount = spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

let folder: string;
let state: string;
let gateway: TestGateway;
let relay: TestRelay;
/** Sockets of the device that wait for an operator. */
let standing: WebSocket[];
/** Holds the small disk, whatever becomes of the broker on it. */
let disk: TestProcess;
let broker: TestProcess;
beforeEach(async () => {
  folder = temporaryFolder();
  state = join(folder, 'state');
  mkdirSync(state);
  gateway = await openTestGateway(join(folder, 'hub'));
  standing = [];
  relay = await openTestRelay((socket) => {
    socket.send(ATTACHED);
    standing.push(socket);
  });
  disk = startProcess('unshare', [
    ...UNSHARE,
    'sh',
    '-c',
    `mount -t tmpfs -o size=2m,mode=700 tmpfs ${state} && echo mounted && exec sleep 600`,
  ]);
  await disk.output(/mounted/);
});
afterEach(async () => {
  await broker.kill('SIGTERM');
  await disk.kill();
  relay.close();
  await gateway.close();
});

const onDisk = (...command: string[]) => [
  '-t',
  String(disk.pid),
  '-U',
  '-m',
  '--preserve-credentials',
  ...command,
];
const inside = (...command: string[]) => execFileSync('nsenter', onDisk(...command), { encoding: 'utf8' });
const fill = () => spawnSync('nsenter', onDisk('sh', '-c', `cat /dev/zero > ${state}/filler`));
const makeRoom = () => inside('rm', `${state}/filler`);
const entries = () =>
  inside('cat', join(state, 'audit.ndjson'))
    .split('\n')
    .slice(0, -1) // one that is being written
    .map((line) => JSON.parse(line) as AuditEntry);
const told = (kind: string) => gateway.events.filter(({ event }) => event.kind === kind);

async function startBroker(...args: string[]): Promise<void> {
  const env = {
    PATH: process.env['PATH'],
    BOWLINE_SSH_BROKER__STATE_DIR: state,
    BOWLINE_SSH_BROKER__RUN_FOLDER: join(folder, 'run'),
    BOWLINE_SSH_BROKER__HUB_FOLDER: join(folder, 'hub'),
    BOWLINE_SSH_BROKER__POLICY_FILE: join(folder, 'policy.json'),
    BOWLINE_SSH_BROKER__TRUST_ANCHOR_FILE: join(folder, 'trust-anchor.json'),
  };
  broker = startProcess('nsenter', onDisk(process.execPath, MAIN, ...args), { env });
  await waitFor(() => gateway.peers().length > 0, { what: 'the broker to register' });
}

/** A session that is open. */
async function open() {
  const [root, key] = [await createKey(), await createKey()];
  writeTrustAnchor(join(folder, 'trust-anchor.json'), { rootThumbprint: root.thumbprint });
  const ssh = { users: [userInfo().username], maxSeconds: 600, capabilities: ['exec'] };
  writeFileSync(join(folder, 'policy.json'), JSON.stringify({ ssh }), { mode: 0o600 });
  const keys = { root: [root.publicJwk], update: [], access: [key.publicJwk], command: [] };
  gateway.bundles.push(await signTrustBundle({ version: 1, keys, threshold: 1 }, [root]));
  await startBroker();
  const now = Math.floor(Date.now() / 1000);
  const sessionId = uuidv7();
  const grant = await signClaims('sshAccess', key, {
    aud: 'd1',
    jti: uuidv7(),
    nbf: now,
    exp: now + 300,
    sessionId,
    user: userInfo().username,
    publicKey: `ssh-ed25519 ${'A'.repeat(68)}`,
    capabilities: ['exec'],
    streams: 4,
    idleSeconds: 300,
    reason: 'the disk is full',
    by: 'ada',
  });
  const payload = { grant, tunnelUrl: `${relay.origin}/v1/tunnels/${sessionId}/device`, token: 't' };
  const order = { orderId: uuidv7(), type: 'sshAccess' as const, payload };
  await gateway.outcome(APP, order, 'started');
  return { sessionId, order };
}

const isStream = ({ action }: AuditEntry) => action === 'ssh.stream';

/** A connection that hears sshd's first word, and goes. */
async function connect(): Promise<void> {
  await waitFor(() => standing.length > 0);
  const operator = standing.shift() as WebSocket;
  operator.send(PAIRED);
  await once(operator, 'message');
  operator.close();
}

test.runIf(canMount && needs('openssh-server'))(
  'when the disk is full, the session goes on and further connections too, and all of it is written once there is room',
  async () => {
    const { order } = await open();
    await connect();
    fill();
    const unwritten = () => told('ssh.stream').length - entries().filter(isStream).length;
    // The page that a file ends in has room for some.
    for (let count = 1; unwritten() < 2; count += 1) {
      await connect();
      await waitFor(() => told('ssh.stream').length === count + 1);
    }
    makeRoom();
    await waitFor(() => unwritten() === 0);
    expect(
      entries()
        .map(({ action }) => action)
        .slice(0, 2),
    ).toEqual(['ssh.started', 'ssh.stream']);
    expect(followAuditChain(AUDIT_START, entries()).fault).toBeUndefined();
    fill();
    await gateway.cancel(APP, order.orderId);
    expect(await gateway.reported(order.orderId, 'cancelled')).toMatchObject({ result: { survivors: 0 } });
    expect(isRunning(broker.pid)).toBe(true);
  },
);

test.runIf(canMount && needs('openssh-server'))(
  'when the disk is full at the start, the broker starts all the same, and a session that was cut off has one end',
  async () => {
    const { sessionId, order } = await open();
    fill();
    const ended = () => told('ssh.ended').filter(({ event }) => event.data['sessionId'] === sessionId);
    await broker.kill('SIGKILL');
    await waitFor(() => gateway.peers().length === 0);
    await startBroker('--sshdPath=/nonexistent'); // which it has to tell
    await waitFor(() => ended().length === 1);
    expect((await gateway.reported(order.orderId, 'failed')).error?.code).toBe('session-cut-off');
    makeRoom();
    await broker.output(/"reported":true/);
    await waitFor(() => entries().some(({ action }) => action === 'ssh.ended'));
    await broker.kill('SIGKILL');
    await waitFor(() => gateway.peers().length === 0);
    await startBroker();
    await broker.output(/ssh ready/);
    expect(ended()).toHaveLength(1);
    expect(existsSync(join(folder, 'run', `session-${sessionId}`))).toBe(false);
  },
);
