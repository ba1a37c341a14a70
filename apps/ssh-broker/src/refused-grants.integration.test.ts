import { AUDIT_START, createKey, followAuditChain } from '@bowline/identity';
import type { SignedClaims } from '@bowline/messages';
import { needs, waitFor } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createTestKeys, nowSeconds, TestBroker, USER, type TestKeys } from './testing/test-broker.ts';

let keys: TestKeys;
beforeAll(async () => {
  keys = await createTestKeys();
});

let broker: TestBroker;
beforeEach(async () => {
  broker = await TestBroker.open(keys);
});
afterEach(() => broker.close());

/** A second more than the policy permits, whenever it is looked at. */
const beyondPolicy = () => {
  const nbf = nowSeconds();
  return { nbf, exp: nbf + 601 };
};

/** The code with which such a grant is refused. */
const refusal = async (...grant: Parameters<TestBroker['signed']>) =>
  broker.code(await broker.signed(...grant));

test('when the grant is not good, it is refused by the exact rule, before anything is made', async () => {
  broker.start();
  expect(await refusal({}, { by: keys.command })).toBe('wrong-role');
  expect(await refusal({}, { by: await createKey() })).toBe('unknown-signer');
  expect(await refusal({ aud: 'd2' })).toBe('wrong-audience');
  expect(await refusal({ exp: nowSeconds() - 1 })).toBe('signature-expired');
  expect(await broker.code({ ...(await broker.signed()), payload: {} } as never)).toBe('invalid');
  const policy = async (change: Partial<SignedClaims<'sshAccess'>>) =>
    (await broker.outcome(await broker.signed(change))).error;
  expect(await policy({ user: 'daemon' })).toMatchObject({
    code: 'not-allowed',
    message: expect.stringContaining('/ssh/users'),
  });
  expect((await policy(beyondPolicy()))?.message).toContain('/ssh/maxSeconds');
  expect((await policy({ capabilities: ['pty', 'sftp'] }))?.message).toContain('/ssh/capabilities');
  expect(broker.folders()).toEqual([]);
});

test.runIf(needs('openssh-server'))(
  'when the device itself cannot or will not, the rule is named',
  async () => {
    broker.start();
    expect(await refusal({ capabilities: ['x11'] })).toBe('unknown-capability');
    expect(await refusal({ user: 'no-such' })).toBe('unknown-user');
    expect(await refusal({ publicKey: 'command="x" ssh-ed25519 AAAA' })).toBe('bad-public-key');
    expect(await refusal({ principal: 'ops' })).toBe('no-user-ca');
    expect(await refusal({ capabilities: [], command: '/bin/sh' })).toBe('command-not-granted');
    expect(await refusal({ streams: 9 })).toBe('too-many-streams');
    const url = 'ws://relay.example/v1/tunnels/s1/device';
    expect(await refusal({ sessionId: 's1' }, { tunnelUrl: url })).toBe('bad-tunnel-url');
    const other = 'ws://127.0.0.1:1/v1/tunnels/s2/device';
    expect(await refusal({ sessionId: 's1' }, { tunnelUrl: other })).toBe('bad-tunnel-url');
    expect(broker.folders()).toEqual([]);
  },
);

test('when grants are refused, the chain of the audit has each, and what the signature stands for', async () => {
  broker.start({ BOWLINE_SSH_BROKER__REFUSED_BURST: '3' });
  const stranger = await createKey();
  const [foreign, tooLong] = [
    await broker.signed({ by: 'mallory', reason: 'x'.repeat(150) }, { by: stranger }),
    await broker.signed({ ...beyondPolicy(), by: 'ada' }),
  ];
  await broker.code(foreign);
  await broker.code(tooLong);
  expect(await broker.code({ ...tooLong, orderId: uuidv7() })).toBe('replayed');
  await waitFor(() => broker.events('ssh.refused').length === 3);
  const [first, second, third] = broker.events('ssh.refused');
  expect(first).toMatchObject({
    severity: 'warning',
    data: { orderId: foreign.orderId, code: 'unknown-signer', user: USER, by: 'mallory' },
  });
  expect(first?.data['signer']).toBeUndefined(); // hearsay
  const { sessionId } = tooLong;
  expect(second?.data).toMatchObject({
    code: 'not-allowed',
    sessionId,
    by: 'ada',
    signer: keys.access.thumbprint,
  });
  expect(third?.data).toMatchObject({ code: 'replayed', sessionId });
  for (let each = 0; each < 5; each += 1) await broker.code(await broker.signed({ aud: 'd2' }));
  await broker.child.kill('SIGTERM');
  const entries = broker.audit();
  expect(followAuditChain(AUDIT_START, entries)).toEqual({ mark: expect.objectContaining({ seq: 4 }) });
  expect(entries[3]).toMatchObject({
    action: 'ssh.refused-more',
    target: { count: '5', codes: 'wrong-audience 5' },
  });
  await waitFor(() => broker.events('ssh.refused-more').length === 1);
});
