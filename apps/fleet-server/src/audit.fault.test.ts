import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIT_START, followAuditChain } from '@bowline/identity';
import type { AuditPage } from '@bowline/messages';
import { freePort, seededRandom, temporaryFolder, waitFor } from '@bowline/testing';
import { expect, it } from 'vitest';
import { RawDevice } from './testing/raw-device.ts';
import { startReal } from './testing/real-server.ts';
import { enrolled, operatorsApi } from './testing/test-server.ts';

it('when the server is killed again and again, no order is without its entry, and none that was answered without its outcome', async () => {
  const random = seededRandom();
  const [stateDir, port] = [join(temporaryFolder(), 'server'), await freePort()];
  let { process, url } = await startReal(stateDir, port);
  const api = operatorsApi(url, readFileSync(join(stateDir, 'operator-token'), 'utf8').trim());
  await enrolled(url, api, 'ordered');
  const answered: string[] = [];
  let asked = 0;
  for (let kill = 0; kill < 4; kill += 1) {
    // Three are asked at once: with a fourth, one has been answered.
    const enough = asked + random.integer(4, 20);
    const give = async () => {
      for (;;) {
        asked += 1;
        const { body } = await api('POST', '/v1/devices/ordered/orders', {
          type: 'command',
          payload: { name: 'ping' },
        });
        if (typeof body['orderId'] === 'string') answered.push(body['orderId']);
      }
    };
    const givers = [give(), give(), give()].map((work) => work.catch(() => {}));
    await waitFor(() => asked >= enough);
    await process.kill('SIGKILL');
    await Promise.all(givers);
    ({ process, url } = await startReal(stateDir, port));
  }
  const { body: list } = await api('GET', '/v1/devices/ordered/orders?limit=1000');
  const orders = list['orders'] as unknown[];
  const { entries, head } = (await api('GET', '/v1/audit?after=0&limit=1000')).body as unknown as AuditPage;
  expect(followAuditChain(AUDIT_START, entries)).toEqual({ mark: head });
  const given = entries.filter(({ action }) => action === 'order.create');
  expect(given.filter(({ outcome }) => outcome === undefined).length).toBeGreaterThanOrEqual(orders.length);
  const told = new Set(given.map(({ target }) => target['orderId']));
  expect(answered.length).toBeGreaterThan(0);
  expect(answered.filter((orderId) => !told.has(orderId))).toEqual([]);
  await process.kill('SIGTERM');
});

it('when the server is killed while devices enrol, none is there without the beginning of its entry', async () => {
  const random = seededRandom();
  const [stateDir, port] = [join(temporaryFolder(), 'server'), await freePort()];
  const flags = ['--enrolment.burst=100000'];
  let { process, url } = await startReal(stateDir, port, flags);
  const api = operatorsApi(url, readFileSync(join(stateDir, 'operator-token'), 'utf8').trim());
  const { body: made } = await api('POST', '/v1/enrolment-tokens', { maxUses: 10_000 });
  for (let kill = 0; kill < 3; kill += 1) {
    let asked = 0;
    const enough = random.integer(4, 20); // as above
    const enrol = async () => {
      for (;;) {
        asked += 1;
        await new RawDevice().enrol(url, String(made['token']));
      }
    };
    const enrolling = [enrol(), enrol(), enrol()].map((work) => work.catch(() => {}));
    await waitFor(() => asked >= enough, { everyMs: 1 });
    await process.kill('SIGKILL');
    await Promise.all(enrolling);
    ({ process, url } = await startReal(stateDir, port, flags));
  }
  const { body: list } = await api('GET', '/v1/devices');
  const devices = (list['devices'] as { deviceId: string }[]).map(({ deviceId }) => deviceId);
  const { entries } = (await api('GET', '/v1/audit?after=0&limit=1000')).body as unknown as AuditPage;
  const begun = entries.filter(({ action, outcome }) => action === 'device.enrol' && outcome === undefined);
  const told = new Set(begun.map(({ target }) => target['deviceId']));
  expect(devices.length).toBeGreaterThan(0);
  expect(devices.filter((deviceId) => !told.has(deviceId))).toEqual([]);
  await process.kill('SIGTERM');
});
