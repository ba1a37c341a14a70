import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { startProcess, temporaryFolder } from '@bowline/testing';
import { describe, expect, it } from 'vitest';
import { lanes } from './testing/raw-device.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

const MAIN = join(import.meta.dirname, 'main.ts');

async function backup(server: TestServer): Promise<{ name: string; folder: string }> {
  const { status, body } = await server.api('POST', '/v1/server/backups');
  expect(status, server.log.join('')).toBe(201);
  return body as { name: string; folder: string };
}

/** The command as an operator gives it. */
async function restore(folder: string, stateDir: string) {
  const command = startProcess('node', [MAIN, 'restore', folder, `--stateDir=${stateDir}`]);
  const { code } = await command.exited;
  return { code, said: command.stdout() + command.stderr() };
}

const order = { type: 'command', payload: { name: 'ping' } };

describe('a backup that is restored', () => {
  it('when devices went on after it, they meet a new epoch, get what has not ended once more, and operators see what is missing', async () => {
    const server = await startTestServer();
    const { stateDir } = server;
    const device = await server.device('d1');
    const link = await device.open();
    for (let seq = 1; seq <= 10; seq += 1) link.sample(seq, seq);
    const before = String((await server.api('POST', '/v1/devices/d1/orders', order)).body['orderId']);
    await link.next('command');
    link.live('receipt', { lanes: { orders: 1 } });
    await link.receipted('telemetry', 10);
    const { folder } = await backup(server);

    for (let seq = 11; seq <= 20; seq += 1) link.sample(seq, seq);
    await link.receipted('telemetry', 20);
    const after = String((await server.api('POST', '/v1/devices/d1/orders', order)).body['orderId']);
    await link.next('command');
    link.live('receipt', { lanes: { orders: 2 } });
    const serverEpoch = link.frames.find(({ type }) => type === 'welcome')?.payload['serverEpoch'];
    await server.stop();

    const { code, said } = await restore(folder, stateDir);
    expect({ code, said }).toMatchObject({
      code: 0,
      said: expect.stringContaining('under a new serverEpoch'),
    });
    expect(said).toContain('replaced.mdb');

    const again = await startTestServer({ stateDir });
    expect(again.token).toBe(server.token);
    const { body } = await again.api('GET', '/v1/server');
    expect(body).toMatchObject({ incidents: [{ kind: 'restored' }] });
    expect(body['serverEpoch']).not.toBe(serverEpoch);
    device.link = `${again.url.replace('http', 'ws')}/v1/devices/d1/link`;
    const resumed = await device.open({ serverEpoch, received: 2, ...lanes({ telemetry: [21, 21] }) });
    expect(resumed.frames[0]?.payload).toMatchObject({
      serverEpoch: body['serverEpoch'],
      received: { telemetry: 10 },
    });
    expect((await resumed.next('command')).id).toBe(before);
    expect((await again.api('GET', `/v1/orders/${after}`)).status).toBe(404);
    resumed.ack(1, before, 'succeeded', 1);
    await resumed.receipted('results', 1);
    expect((await again.api('GET', `/v1/orders/${before}`)).body).toMatchObject({ status: 'succeeded' });
    const alarms = (await again.api('GET', '/v1/devices/d1')).body['alarms'];
    expect(alarms).toMatchObject([
      { kind: 'unexplained-hole', data: { holes: [{ lane: 'telemetry', ranges: [{ from: 11, to: 20 }] }] } },
    ]);
    await resumed.close();
    await again.stop();

    const third = await startTestServer({ stateDir });
    expect((await third.api('GET', '/v1/server')).body).toMatchObject({
      serverEpoch: body['serverEpoch'],
      incidents: [{ kind: 'restored' }],
    });
  });

  it('when the machine is a new one, devices find the same server there', async () => {
    const server = await startTestServer();
    const device = await server.device('d1');
    const { folder } = await backup(server);
    await server.stop();
    const stateDir = join(temporaryFolder(), 'elsewhere');
    expect(await restore(folder, stateDir)).toMatchObject({ code: 0 });
    for (const file of ['root-key.pem', 'operator-token'])
      expect(statSync(join(stateDir, file)).mode & 0o777, file).toBe(0o600);

    const elsewhere = await startTestServer({ stateDir });
    expect(elsewhere.token).toBe(server.token);
    device.link = `${elsewhere.url.replace('http', 'ws')}/v1/devices/d1/link`;
    await device.open();
  });

  it('when a server runs on the folder, it is refused and nothing is touched', async () => {
    const server = await startTestServer();
    const { folder } = await backup(server);
    const file = join(server.stateDir, 'store', 'store.mdb');
    const { ino } = statSync(file);
    const { code, said } = await restore(folder, server.stateDir);
    expect({ code, said }).toMatchObject({ code: 1, said: expect.stringContaining('Stop the server') });
    expect(statSync(file).ino).toBe(ino);
    expect((await server.api('GET', '/v1/server')).body).toMatchObject({ incidents: [] });
  });

  it.each<[string, (folder: string) => void]>([
    ['a file of it was changed', (folder) => appendFileSync(join(folder, 'state', 'trust.json'), ' ')],
    ['its store is missing', (folder) => rmSync(join(folder, 'store.mdb'))],
    ['it is another folder', (folder) => rmSync(join(folder, 'manifest.json'))],
  ])('when %s, it is refused with the reason and nothing is touched', async (_, harm) => {
    const server = await startTestServer();
    const { folder } = await backup(server);
    await server.stop();
    harm(folder);
    const file = join(server.stateDir, 'store', 'store.mdb');
    const { ino } = statSync(file);
    const { code, said } = await restore(folder, server.stateDir);
    expect({ code, said }).toMatchObject({ code: 1, said: expect.stringContaining('no whole backup') });
    expect(statSync(file).ino).toBe(ino);
  });

  it('when a token was changed since, the new one stays and that is said', async () => {
    const server = await startTestServer();
    const { folder } = await backup(server);
    await server.stop();
    writeFileSync(join(server.stateDir, 'operator-token'), 'a-newer-token\n');
    const { said } = await restore(folder, server.stateDir);
    expect(said).toContain('kept as they are: operator-token');
    expect(readFileSync(join(server.stateDir, 'operator-token'), 'utf8')).toBe('a-newer-token\n');
  });
});

describe('backups', () => {
  it('when there are more than are kept, the oldest go, and what a crash left behind goes too', async () => {
    const server = await startTestServer({ backup: { keep: 2 } });
    const folder = join(server.stateDir, 'backups');
    mkdirSync(join(folder, 'half.new'), { recursive: true });
    const made = [await backup(server), await backup(server), await backup(server)];
    const { body } = await server.api('GET', '/v1/server/backups');
    const names = (body['backups'] as { name: string }[]).map(({ name }) => name);
    expect(names).toEqual([made[2]?.name, made[1]?.name]);
    expect(existsSync(join(folder, 'half.new'))).toBe(false);
    expect(existsSync(made[0]?.folder ?? '')).toBe(false);
  });

  it('when messages flow meanwhile, the server goes on and the copy is of one moment', async () => {
    const server = await startTestServer();
    const device = await server.device('d1');
    const link = await device.open();
    let seq = 0;
    const send = () => {
      for (let n = 0; n < 50; n += 1) link.sample((seq += 1), seq);
    };
    send();
    const making = backup(server);
    for (let n = 0; n < 10; n += 1) {
      send();
      await link.receipted('telemetry', seq);
    }
    const { folder } = await making;
    await server.stop();
    const stateDir = join(temporaryFolder(), 'copy');
    await restore(folder, stateDir);
    const copy = await startTestServer({ stateDir });
    const { body } = await copy.api('GET', '/v1/devices/d1/telemetry?series=test.value&limit=10000');
    const values = (body['samples'] as { value: number }[]).map(({ value }) => value);
    expect(values).toEqual(values.map((_, index) => index + 1));
  });

  it('when nobody says who asks, there is none', async () => {
    const server = await startTestServer();
    const response = await fetch(`${server.url}/v1/server/backups`, { method: 'POST' });
    expect(response.status).toBe(401);
  });
});
