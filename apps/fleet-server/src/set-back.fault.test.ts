import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, temporaryFolder } from '@bowline/testing';
import { describe, expect, it } from 'vitest';
import { OrderDevice } from './testing/order-device.ts';
import { startReal } from './testing/real-server.ts';
import { enrolled, operatorsApi, type TestServer } from './testing/test-server.ts';

const startWithApi = async (stateDir: string, port: number) => {
  const { process, url } = await startReal(stateDir, port);
  const api = operatorsApi(url, readFileSync(join(stateDir, 'operator-token'), 'utf8').trim());
  return { process, url, api };
};
const give = async (api: TestServer['api'], deviceId: string): Promise<string> => {
  const body = { type: 'command', payload: { name: 'ping' } };
  const answer = await api('POST', `/v1/devices/${deviceId}/orders`, body);
  expect(answer.status).toBe(201);
  return String(answer.body['orderId']);
};
const alarmsOf = async (api: TestServer['api'], deviceId: string): Promise<string[]> => {
  const { body } = await api('GET', `/v1/devices/${deviceId}`);
  return (body['alarms'] as { kind: string }[]).map(({ kind }) => kind);
};

describe('a server whose state folder was replaced by an older copy of all of it', () => {
  it('when orders are given before the device comes back, each is carried out once and ends, and an alarm tells', async () => {
    const [folder, port] = [temporaryFolder(), await freePort()];
    const [stateDir, copy] = [join(folder, 'server'), join(folder, 'copy')];
    const first = await startWithApi(stateDir, port);
    const device = new OrderDevice(await enrolled(first.url, first.api, 'd1'));
    const bystander = new OrderDevice(await enrolled(first.url, first.api, 'd2'));
    const ended = await give(first.api, 'd1');
    let link = await device.connect();
    await bystander.connect();
    await link.next('command');
    await device.settled();
    await link.close();
    const waiting = await give(first.api, 'd1');
    await first.process.kill('SIGKILL');
    cpSync(stateDir, copy, { recursive: true });

    const second = await startWithApi(stateDir, port);
    link = await device.connect();
    await link.next('command', () => device.effects.length === 2);
    const forgotten = [await give(second.api, 'd1'), await give(second.api, 'd1')];
    await link.next('command', () => device.effects.length === 4);
    await device.settled();
    expect(device.effects).toEqual([ended, waiting, ...forgotten]);
    await second.process.kill('SIGKILL');
    rmSync(stateDir, { recursive: true });
    cpSync(copy, stateDir, { recursive: true });

    const third = await startWithApi(stateDir, port);
    const epoch = device.serverEpoch;
    const given: string[] = [];
    for (let order = 0; order < 4; order += 1) given.push(await give(third.api, 'd1'));
    const other = await bystander.connect();
    link = await device.connect();
    await link.next('command', () => device.effects.length === 8);
    await device.settled();
    expect(device.effects).toEqual([ended, waiting, ...forgotten, ...given]);
    for (const orderId of [ended, waiting, ...given])
      expect((await third.api('GET', `/v1/orders/${orderId}`)).body).toMatchObject({ status: 'succeeded' });
    expect(await alarmsOf(third.api, 'd1')).toContain('server-rollback');
    expect(device.serverEpoch).not.toBe(epoch);

    // It is that device's affair alone, and over.
    const info = await third.api('GET', '/v1/server');
    expect(info.body).toMatchObject({ serverEpoch: bystander.serverEpoch, incidents: [] });
    expect(await alarmsOf(third.api, 'd2')).toEqual([]);
    const renewed = device.serverEpoch;
    await link.close();
    link = await device.connect();
    const next = await give(third.api, 'd1');
    expect(await link.next('command')).toMatchObject({ id: next, seq: 6 });
    expect(device.serverEpoch).toBe(renewed);
    expect(other.socket.readyState).toBe(other.socket.OPEN);
    await third.process.kill('SIGTERM');
  });
});

describe('a device that claims orders that it was never sent', () => {
  it('when it does so again and again, other links stay and its own operators are told once', async () => {
    const [stateDir, port] = [join(temporaryFolder(), 'server'), await freePort()];
    const { process, url, api } = await startWithApi(stateDir, port);
    const innocent = new OrderDevice(await enrolled(url, api, 'innocent'));
    const liar = await enrolled(url, api, 'liar');
    const link = await innocent.connect();
    const epoch = innocent.serverEpoch;
    const orderId = await give(api, 'liar');
    let serverEpoch = epoch;
    for (let time = 0; time < 15; time += 1) {
      const lie = await liar.open({ serverEpoch, received: 1e9 });
      serverEpoch = String(lie.frames[0]?.payload['serverEpoch']);
      expect(serverEpoch).not.toBe(epoch);
      expect(await lie.next('command')).toMatchObject({ id: orderId, seq: 1 });
      await lie.close();
    }
    expect(await alarmsOf(api, 'liar')).toEqual(['server-rollback']);

    const next = await give(api, 'innocent');
    await link.next('command');
    await innocent.settled();
    expect((await api('GET', `/v1/orders/${next}`)).body).toMatchObject({ status: 'succeeded' });
    expect(link.frames.filter(({ type }) => type === 'welcome')).toHaveLength(1);
    expect(await alarmsOf(api, 'innocent')).toEqual([]);
    expect((await api('GET', '/v1/server')).body).toMatchObject({ serverEpoch: epoch, incidents: [] });
    await process.kill('SIGTERM');
  });
});
