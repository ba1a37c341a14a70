import { AUDIT_START, followAuditChain } from '@bowline/identity';
import type { AuditEntry, AuditPage } from '@bowline/messages';
import * as contract from '@bowline/messages/operators';
import { memoryStore } from '@bowline/server-sdk';
import { FakeClock } from '@bowline/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { AuditLog, type NewAuditEntry } from './operators/audit-log.ts';
import { keys } from './operators/keys.ts';
import { call } from './testing/call.ts';
import { RawDevice } from './testing/raw-device.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

const entry = (more: object = {}): NewAuditEntry => ({
  from: '127.0.0.1',
  action: 'order.create',
  target: {},
  ...more,
});

describe('the log', () => {
  it('when an entry is changed, removed or put in, the chain shows where', async () => {
    const log = new AuditLog(memoryStore(), new FakeClock(), { maxBytes: 1e6, maxAgeMs: 1e9 });
    for (let n = 0; n < 5; n += 1) log.append(entry({ target: { n: String(n) } }));
    const { entries, head } = log.page({ after: 0, limit: 10 });
    expect(followAuditChain(AUDIT_START, entries)).toEqual({ mark: head });
    const faultIn = (list: AuditEntry[]) => followAuditChain(AUDIT_START, list).fault;
    const changed = entries.with(2, { ...entries[2]!, from: '192.0.2.1' });
    expect(faultIn(changed)).toBe('entry 3 was changed');
    expect(faultIn(entries.toSpliced(2, 1))).toBe('after entry 2 comes entry 4');
    expect(faultIn(entries.with(2, { ...entries[1]!, seq: 3 }))).toBe('entry 3 does not follow from entry 2');
    expect(faultIn(JSON.parse(JSON.stringify(entries)) as AuditEntry[])).toBeUndefined();
  });

  it('when it is over its bytes, the oldest go and the anchor keeps the place', async () => {
    const store = memoryStore();
    const clock = new FakeClock();
    const limits = { maxBytes: 4096, maxAgeMs: 1e9 };
    let log = new AuditLog(store, clock, limits);
    for (let n = 0; n < 100; n += 1) {
      log.append(entry({ target: { n: String(n) } }));
      if (n % 10 === 0) log = new AuditLog(store, clock, limits);
    }
    const { entries, anchor, head } = log.page({ after: 0, limit: 1000 });
    expect(head.seq).toBe(100);
    expect(entries.length).toBeGreaterThan(5);
    expect(entries.length).toBeLessThan(30);
    expect(entries[0]?.seq).toBe(anchor.seq + 1);
    expect(followAuditChain(anchor, entries)).toEqual({ mark: head });
    expect(JSON.stringify(entries).length).toBeLessThan(4200);
  });

  it('when entries are too old, they go, and the newest stays', async () => {
    const clock = new FakeClock();
    const log = new AuditLog(memoryStore(), clock, { maxBytes: 1e6, maxAgeMs: 1000 });
    for (let n = 0; n < 5; n += 1) log.append(entry());
    await clock.advance(2000);
    for (let n = 0; n < 5; n += 1) log.append(entry());
    const { entries, anchor, head } = log.page({ after: 0, limit: 10 });
    expect(entries.map(({ seq }) => seq)).toEqual([6, 7, 8, 9, 10]);
    expect(followAuditChain(anchor, entries)).toEqual({ mark: head });
  });

  it('when its own record is lost, it goes on from the entries', async () => {
    const store = memoryStore();
    const limits = { maxBytes: 1e6, maxAgeMs: 1e9 };
    const log = new AuditLog(store, new FakeClock(), limits);
    for (let n = 0; n < 3; n += 1) log.append(entry());
    await store.write([{ key: keys.auditState, value: undefined }]);
    const again = new AuditLog(store, new FakeClock(), limits);
    again.append(entry());
    const { entries, anchor, head } = again.page({ after: 0, limit: 10 });
    expect(entries).toHaveLength(4);
    expect(followAuditChain(anchor, entries)).toEqual({ mark: head });
  });
});

describe('what is written', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({
      operators: { failuresBurst: 1000 },
      enrolment: { burst: 1000, perSecond: 5 },
    });
  });
  const page = async (query: string): Promise<AuditPage> => {
    const { body } = await server.api('GET', `/v1/audit?${query}`);
    expect(contract.auditPage(body), JSON.stringify(contract.auditPage.errors)).toBe(true);
    return body as unknown as AuditPage;
  };
  const since = async (work: () => Promise<unknown>) => {
    const { head } = await page('limit=1');
    await work();
    const { entries } = await page(`after=${head.seq}`);
    expect(followAuditChain(head, entries).fault).toBeUndefined();
    return entries;
  };

  it('when an order is given, who, from where, what, to whom and how it ended are there, before the answer', async () => {
    await server.device('audited');
    const { body } = await server.api('POST', '/v1/operators', { name: 'jo', role: 'operator' });
    const headers = { authorization: `Bearer ${String(body['token'])}` };
    const entries = await since(() =>
      call(`${server.url}/v1/devices/audited/orders`, {
        method: 'POST',
        headers,
        body: { type: 'command', payload: { name: 'reboot', params: { secret: 'hidden' } } },
      }),
    );
    const { body: orders } = await server.api('GET', '/v1/devices/audited/orders');
    const [{ orderId } = { orderId: '' }] = orders['orders'] as { orderId: string }[];
    const common = {
      actor: { operator: 'jo', role: 'operator', tokenId: body['tokenId'], via: 'token' },
      from: '127.0.0.1',
      action: 'order.create',
    };
    const target = { type: 'command', command: 'reboot', deviceId: 'audited' };
    expect(entries).toMatchObject([
      { ...common, target },
      { ...common, target: { ...target, orderId }, outcome: { status: 201 }, of: entries[0]?.seq },
    ]);
    expect(entries[0]).not.toHaveProperty('outcome');
    expect(JSON.stringify(entries)).not.toContain('hidden');
  });

  it('when a call is refused, by role, token or contents, that is there', async () => {
    const { body } = await server.api('POST', '/v1/operators', { name: 'looks', role: 'viewer' });
    const headers = { authorization: `Bearer ${String(body['token'])}` };
    const denied = await since(() =>
      call(`${server.url}/v1/devices/audited/orders`, { method: 'POST', headers, body: {} }),
    );
    expect(denied).toMatchObject([
      { actor: { operator: 'looks' }, action: 'order.create', outcome: { status: 403, code: 'forbidden' } },
    ]);
    const stranger = await since(() => call(`${server.url}/v1/devices`, {}));
    expect(stranger).toMatchObject([
      { action: 'GET /v1/devices', outcome: { status: 401, code: 'unauthorized' } },
    ]);
    expect(stranger[0]).not.toHaveProperty('actor');
    const invalid = await since(() => server.api('POST', '/v1/enrolment-tokens', { maxUses: -1 }));
    expect(invalid.at(-1)).toMatchObject({
      action: 'enrolment-token.create',
      outcome: { status: 400, code: 'invalid' },
    });
  });

  it('when strangers fail in great number, the log counts them and keeps what matters', async () => {
    await since(async () => {
      for (let n = 0; n < 100; n += 1) await call(`${server.url}/v1/devices`, {});
    });
    const entries = await since(() => server.api('POST', '/v1/enrolment-tokens', {}));
    expect(entries).toHaveLength(2);
    expect(entries[1]?.unwritten).toBeGreaterThan(30);
    const { entries: newest } = await page('limit=1000');
    expect(newest.filter(({ outcome }) => outcome?.status === 401).length).toBeLessThan(70);
  });

  it('when a device enrols, its beginning is there before its effect, and how it ended', async () => {
    const enrolled = (await since(() => server.device('came'))).slice(-2);
    expect(enrolled).toMatchObject([
      { action: 'device.enrol', target: { deviceId: 'came' } },
      {
        action: 'device.enrol',
        target: { deviceId: 'came' },
        outcome: { status: 201 },
        of: enrolled[0]?.seq,
      },
    ]);
    expect(enrolled[0]?.outcome).toBeUndefined();
  });

  it('when enrolling fails, that is there with its reason, and a flood of failures is counted', async () => {
    const body = new RawDevice().enrolment(server.url, 'no-such-token');
    const failed = await since(() => call(`${server.url}/v1/enrolments`, { method: 'POST', body }));
    expect(failed).toMatchObject([{ action: 'device.enrol', outcome: { status: 410, code: 'token-gone' } }]);
    expect(JSON.stringify(failed)).not.toContain('no-such-token');
    const flood = await since(async () => {
      for (let n = 0; n < 100; n += 1)
        await call(`${server.url}/v1/enrolments`, { method: 'POST', body: {} });
    });
    expect(flood.length).toBeLessThan(70);
    const next = await since(() => server.device('after-the-flood'));
    expect(Math.max(...next.map(({ unwritten }) => unwritten ?? 0))).toBeGreaterThan(30);
    expect(next.at(-1)).toMatchObject({ action: 'device.enrol', outcome: { status: 201 } });
  });

  it('when a proxy says where a call came from, that counts only if the proxy is trusted', async () => {
    const from = async (at: TestServer) => {
      const headers = { authorization: `Bearer ${at.token}`, 'x-forwarded-for': '198.51.100.7' };
      await call(`${at.url}/v1/enrolment-tokens`, { method: 'POST', headers, body: {} });
      const { body } = await at.api('GET', '/v1/audit?limit=1');
      return (body as unknown as AuditPage).entries[0]?.from;
    };
    expect(await from(server)).toBe('127.0.0.1');
    const proxied = await startTestServer({ trustedProxies: ['127.0.0.1'] });
    expect(await from(proxied)).toBe('198.51.100.7');
    await proxied.stop();
  });

  it('when something is only looked at, nothing is written', async () => {
    expect(await since(() => server.api('GET', '/v1/devices'))).toEqual([]);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])(
    'when the log is called by %s, there is no such call',
    async (method) => {
      for (const path of ['/v1/audit', '/v1/audit/1'])
        expect((await server.api(method, path)).status).toBe(404);
    },
  );

  it('when it is read page by page, backwards too, it is whole', async () => {
    const { head } = await page('limit=1');
    const seqs: number[] = [];
    for (let before = head.seq + 1; before > 1;) {
      const { entries } = await page(`before=${before}&limit=7`);
      seqs.push(...entries.map(({ seq }) => seq));
      before = entries.at(-1)?.seq ?? 0;
    }
    expect(seqs).toEqual(Array.from({ length: head.seq }, (_, index) => head.seq - index));
  });
});
