import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIT_START, followAuditChain } from '@bowline/identity';
import type { AuditEntry } from '@bowline/messages';
import { isRunning, needs, startProcess, waitFor, type TestProcess } from '@bowline/testing';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { createTestKeys, TestBroker, type TestKeys } from './testing/test-broker.ts';
import { ATTACHED, openTestRelay, PAIRED, type TestRelay } from './testing/test-relay.ts';

const UNSHARE = ['--mount', '--map-root-user', '--propagation', 'private'];
const canMount = spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

let keys: TestKeys;
beforeAll(async () => {
  keys = await createTestKeys();
});

let state: string;
let relay: TestRelay;
/** Sockets of the device that wait for an operator. */
let standing: WebSocket[];
/** Holds the small disk, whatever becomes of the broker on it. */
let disk: TestProcess;
let broker: TestBroker;
beforeEach(async () => {
  broker = await TestBroker.open(keys);
  state = join(broker.folder, 'state');
  mkdirSync(state);
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
  await broker.close();
  await disk.kill();
  relay.close();
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
const told = (kind: string) => broker.events(kind);
const gone = () => waitFor(() => broker.gateway.peers().length === 0, { what: 'the broker to be gone' });

async function startBroker(more: Record<string, string> = {}): Promise<void> {
  const elsewhere = { BOWLINE_SSH_BROKER__RUN_FOLDER: runFolder() }; // as on a device
  broker.start({ ...elsewhere, ...more }, (command) => ['nsenter', ...onDisk(...command)]);
  await waitFor(() => broker.gateway.peers().length > 0, { what: 'the broker to register' });
}
const runFolder = () => join(broker.folder, 'run');

/** A session that is open. */
async function open() {
  await startBroker();
  const order = await broker.signed({ capabilities: ['exec'], streams: 4 }, { relay: relay.origin });
  await broker.outcome(order, 'started');
  await waitFor(() => told('ssh.started').length > 0, {
    what: 'its entry, which the disk must have room for',
  });
  return order;
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
    const order = await open();
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
    await broker.cancel(order);
    expect(await broker.gateway.reported(order.orderId, 'cancelled')).toMatchObject({
      result: { survivors: 0 },
    });
    expect(isRunning(broker.child.pid)).toBe(true);
  },
);

test.runIf(canMount && needs('openssh-server'))(
  'when the disk is full at the start, the broker starts all the same, and a session that was cut off has one end',
  async () => {
    const { sessionId, orderId } = await open();
    fill();
    const ended = () => told('ssh.ended').filter(({ data }) => data['sessionId'] === sessionId);
    await broker.child.kill('SIGKILL');
    await gone();
    await startBroker({ BOWLINE_SSH_BROKER__SSHD_PATH: '/nonexistent' }); // which it has to tell
    await waitFor(() => ended().length === 1);
    expect((await broker.gateway.reported(orderId, 'failed')).error?.code).toBe('session-cut-off');
    makeRoom();
    await broker.child.output(/"reported":true/);
    await waitFor(() => entries().some(({ action }) => action === 'ssh.ended'));
    await broker.child.kill('SIGKILL');
    await gone();
    await startBroker();
    await broker.child.output(/ssh ready/);
    expect(ended()).toHaveLength(1);
    expect(existsSync(join(runFolder(), `session-${sessionId}`))).toBe(false);
  },
);
