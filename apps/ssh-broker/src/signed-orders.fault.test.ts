import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { verifyHostKeyProof } from '@bowline/identity';
import type { SessionStarted } from '@bowline/messages';
import { needs, startProcess, waitFor } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTestKeys, TestBroker, USER, type TestKeys } from './testing/test-broker.ts';

let keys: TestKeys;
beforeAll(async () => {
  keys = await createTestKeys();
});

let broker: TestBroker;
beforeEach(async () => {
  broker = await TestBroker.open(keys);
});
afterEach(() => broker.close());

const DAY_MS = 24 * 3_600_000;

describe.runIf(needs('openssh-server'))('a grant that is good', () => {
  beforeEach(() => broker.start());

  test('when it comes, the session starts with a host key that the device vouches for; once for a user', async () => {
    const order = await broker.signed();
    const { status, attempt, result } = await broker.outcome(order);
    expect({ status, attempt }).toEqual({ status: 'started', attempt: 1 });
    const { hostKey, proof } = result as SessionStarted;
    const hostKeySha256 = createHash('sha256')
      .update(Buffer.from(hostKey.split(' ')[1] ?? '', 'base64'))
      .digest('base64')
      .replace(/=+$/, '');
    const { sessionId } = order;
    const deviceKey = broker.gateway.key.publicJwk;
    await verifyHostKeyProof(proof, { deviceKey, sessionId, hostKeySha256 });
    const evil = {
      deviceKey,
      sessionId,
      hostKeySha256: hostKeySha256.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')),
    };
    await expect(verifyHostKeyProof(proof, evil)).rejects.toMatchObject({ code: 'bad-host-key-proof' });
    expect(broker.folders()).toEqual([`session-${sessionId}`]);
    expect(await broker.code(await broker.signed())).toBe('session-active');
  });

  test('when it was used before, it is refused, also after a kill', async () => {
    const order = await broker.signed();
    await broker.outcome(order);
    await broker.child.kill('SIGKILL');
    broker.start();
    expect(await broker.code({ ...order, orderId: uuidv7() })).toBe('replayed');
  });

  test('when the broker is killed, the session is over: wiped, reported with the end of its order, not opened again', async () => {
    const order = await broker.signed();
    await broker.outcome(order);
    await broker.child.kill('SIGKILL');
    expect(broker.folders()).toHaveLength(1);
    broker.start();
    await waitFor(() => broker.gateway.peers().length > 0 && broker.folders().length === 0);
    const { status, error } = await broker.gateway.reported(order.orderId, 'failed');
    expect({ status, code: error?.code }).toEqual({ status: 'failed', code: 'session-cut-off' });
    await waitFor(() => broker.events('ssh.ended').some(({ data }) => data['end'] === 'cut-off'));
    const records = () => readdirSync(join(broker.folder, 'state', 'sessions'));
    await waitFor(() => records().every((name) => !name.endsWith('.json')), { what: 'the record to go' });
  });

  test('when its order is cancelled, the session ends, and that is said', async () => {
    const order = await broker.signed();
    await broker.outcome(order, 'started');
    expect(await broker.cancel(order)).toEqual({ outcome: 'stopping' });
    expect(await broker.gateway.reported(order.orderId, 'cancelled')).toMatchObject({
      result: { sessionId: order.sessionId, survivors: 0 },
    });
    expect(broker.folders()).toEqual([]);
  });

  test('when its bounds are changed from the cloud, sessions go on, and the next grant is judged by them', async () => {
    const order = await broker.signed();
    await broker.outcome(order);
    expect(await broker.configure({ maxStreams: 1, recordBytes: 8192 })).toMatchObject({
      faults: [],
      restarts: false,
    });
    expect(await broker.code(await broker.signed({ streams: 2 }))).toBe('too-many-streams');
    expect(broker.folders()).toEqual([`session-${order.sessionId}`]);
  });

  test('when nothing moves for as long as the grant says, the session ends', async () => {
    const order = await broker.signed({ idleSeconds: 1 });
    await broker.outcome(order, 'started');
    expect(await broker.gateway.reported(order.orderId, 'succeeded')).toMatchObject({
      result: { sessionId: order.sessionId, end: 'idle', survivors: 0 },
    });
  });

  test('when the broker hangs, what runs in a session ends in its time all the same', async () => {
    const order = await broker.short();
    const left = startProcess('sleep', ['1000'], {
      env: { ...process.env, BOWLINE_SESSION: order.sessionId },
    });
    process.kill(broker.child.pid, 'SIGSTOP');
    try {
      expect(await left.exited).toMatchObject({ signal: 'SIGKILL' });
    } finally {
      process.kill(broker.child.pid, 'SIGCONT');
    }
    const { result } = await broker.gateway.reported(order.orderId, 'succeeded');
    expect(result).toMatchObject({ sessionId: order.sessionId, end: 'expired', survivors: 0 });
  });

  test('when the broker is asked to stop, sessions end first', async () => {
    const order = await broker.signed();
    await broker.outcome(order, 'started');
    expect(await broker.child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(await broker.gateway.reported(order.orderId, 'failed')).toMatchObject({
      result: { sessionId: order.sessionId, end: 'broker-stopped', survivors: 0 },
    });
    expect(broker.folders()).toEqual([]);
  });
});

describe.runIf(needs('openssh-server'))('a broker that is set up otherwise', () => {
  test.runIf(needs('faketime'))(
    'when the wall clock jumps by a year, forth and back, a session is neither shorter nor longer',
    async () => {
      const clock = join(broker.folder, 'clock');
      const jump = (by: string) => {
        writeFileSync(`${clock}.new`, `${by}\n`);
        renameSync(`${clock}.new`, clock); // at each call the library reads it: never a file without a line
      };
      jump('+0d');
      broker.start({
        LD_PRELOAD: globSync('/usr/lib/*/faketime/libfaketime.so.1')[0] ?? '',
        FAKETIME_TIMESTAMP_FILE: clock,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      });
      await waitFor(() => broker.gateway.peers().length > 0);
      const at = (kind: string) => broker.events(kind).at(-1)?.at ?? 0;
      const ended = async (jumpMs: number, by: string) => {
        const { exp, ...order } = await broker.short();
        jump(by);
        const { result } = await broker.gateway.reported(order.orderId, 'succeeded');
        expect(result).toMatchObject({ sessionId: order.sessionId, end: 'expired', survivors: 0 });
        await waitFor(() => broker.events('ssh.ended').at(-1)?.data['sessionId'] === order.sessionId);
        expect(Math.abs(at('ssh.ended') - at('ssh.started') - jumpMs)).toBeLessThan(DAY_MS); // it was really seen
        return { early: exp * 1000 - (at('ssh.ended') - jumpMs) };
      };
      // Both times of the same clock; what the kernel says of the time since boot is to 10 ms.
      expect((await ended(365 * DAY_MS, '+365d')).early).toBeLessThan(100);
      jump('+0d');
      await ended(-365 * DAY_MS, '-365d');
    },
  );

  test('when sshd is installed after the start, the next grant opens a session, and the operators are told', async () => {
    const sshd = join(broker.folder, 'sshd');
    broker.start({ BOWLINE_SSH_BROKER__SSHD_PATH: sshd });
    expect(await broker.code(await broker.signed())).toBe('no-sshd');
    symlinkSync('/usr/sbin/sshd', sshd);
    expect(await broker.outcome(await broker.signed())).toMatchObject({ status: 'started' });
    await waitFor(() =>
      broker.gateway.events.some(({ event }) => event.kind === 'ssh.ready' && event.data['sshd'] === sshd),
    );
  });

  test('when more sessions begin than the device lets begin in a row, the next is refused', async () => {
    broker.start({ BOWLINE_SSH_BROKER__GRANTS_BURST: '1', BOWLINE_SSH_BROKER__GRANTS_EVERY_MS: '3600000' });
    const order = await broker.signed();
    await broker.outcome(order, 'started');
    await broker.cancel(order);
    await broker.gateway.reported(order.orderId, 'cancelled');
    expect(await broker.code(await broker.signed())).toBe('too-many-grants');
  });

  test('when the broker was killed before it knew that the gateway has an end, it is told once more, and the record goes', async () => {
    const [orderId, sessionId] = [uuidv7(), uuidv7()];
    const result = { sessionId, end: 'expired', survivors: 0 };
    const grant = { sessionId, user: USER, by: 'ada', reason: 'test', jti: uuidv7() };
    const record = { orderId, bootId: 'b', grant, outcome: { status: 'succeeded', result } };
    mkdirSync(join(broker.folder, 'state', 'sessions'), { recursive: true });
    writeFileSync(join(broker.folder, 'state', 'sessions', `${orderId}.json`), JSON.stringify(record));
    broker.start();
    expect(await broker.gateway.reported(orderId, 'succeeded')).toMatchObject({ result });
    await waitFor(() => readdirSync(join(broker.folder, 'state', 'sessions')).length === 0);
  });

  test('when a session cannot be opened, nothing of it stays, and the audit says so', async () => {
    broker.start({ BOWLINE_SSH_BROKER__SSH_KEYGEN_PATH: '/bin/false' });
    const order = await broker.signed();
    expect(await broker.outcome(order, 'failed')).toMatchObject({ error: { code: 'session-cut-off' } });
    expect(broker.folders()).toEqual([]);
    const group = `bowline-ssh-${order.sessionId}`;
    expect(globSync(`/sys/fs/cgroup/**/${group}`)).toEqual([]);
    await waitFor(() => broker.events('ssh.failed').length > 0);
  });

  test('when a folder is left of a session that is on no record, what runs of it ends at the start', async () => {
    const sessionId = uuidv7();
    mkdirSync(join(broker.folder, 'state', 'run', `session-${sessionId}`), { recursive: true, mode: 0o711 });
    const left = startProcess('sleep', ['1000'], { env: { ...process.env, BOWLINE_SESSION: sessionId } });
    broker.start();
    expect(await left.exited).toMatchObject({ signal: 'SIGKILL' });
    await waitFor(() => broker.folders().length === 0);
    await waitFor(() => broker.events('ssh.ended').length > 0);
    expect(broker.events('ssh.ended')[0]?.data).toMatchObject({
      sessionId,
      end: 'cut-off',
      survivors: 0,
    });
  });
});
