import { createHash } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
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

/** What a server that stands on the folder of another says of its trust bundle. */
async function restartOf({ stateDir }: TestServer) {
  const again = await startTestServer({ stateDir });
  return again.api('GET', '/v1/trust');
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
    const server = await startTestServer({ backup: { keep: 7, rootKey: true } });
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

  it.each<[string, string]>([
    ['leads out of it', 'state/../../evil'],
    ['is absolute', '/evil'],
    ['is not of the state', 'manifest.json'],
    ['is the store’s', 'state/store/store.mdb'],
    ['is the lock’s', 'state/lock'],
    ['has an empty name', 'state//evil'],
  ])(
    'when a manifest was crafted so that a path of it %s, it is refused and nothing is written',
    async (_, path) => {
      const server = await startTestServer();
      const { folder } = await backup(server);
      await server.stop();
      const target = join(folder, path);
      const written = target.startsWith(folder) && !existsSync(target);
      if (written) {
        mkdirSync(join(target, '..'), { recursive: true });
        writeFileSync(target, 'evil');
      }
      const file = join(folder, 'manifest.json');
      const manifest = JSON.parse(readFileSync(file, 'utf8')) as { files: Record<string, unknown> };
      const sha256 = createHash('sha256').update('evil').digest('hex');
      manifest.files[path] = { bytes: 4, sha256 };
      writeFileSync(file, JSON.stringify(manifest));
      const stateDir = join(temporaryFolder(), 'elsewhere', 'state');
      const { code, said } = await restore(folder, stateDir);
      expect({ code, said }).toMatchObject({ code: 1, said: expect.stringContaining('which no backup has') });
      expect(existsSync(stateDir)).toBe(false);
    },
  );

  it.each<[string, (manifest: Record<string, unknown>) => void]>([
    ['another format', (manifest) => (manifest['format'] = 2)],
    ['no files', (manifest) => delete manifest['files']],
    ['a file without a digest', (manifest) => (manifest['files'] = { 'store.mdb': { bytes: 1 } })],
    ['no store', (manifest) => (manifest['files'] = {})],
    ['a name that is none', (manifest) => (manifest['name'] = { toString: 1 })],
  ])('when a manifest has %s, it is refused, and the list of backups leaves it out', async (_, change) => {
    const server = await startTestServer();
    const { folder } = await backup(server);
    const good = await backup(server);
    const file = join(folder, 'manifest.json');
    const manifest = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    change(manifest);
    writeFileSync(file, JSON.stringify(manifest));
    const { body } = await server.api('GET', '/v1/server/backups');
    expect((body['backups'] as { name: string }[]).map(({ name }) => name)).toEqual([good.name]);
    await server.stop();
    const { code, said } = await restore(folder, server.stateDir);
    expect({ code, said }).toMatchObject({ code: 1, said: expect.stringContaining('manifest.json') });
  });

  it('when a file of it is a link, it is not followed', async () => {
    const server = await startTestServer();
    const { folder } = await backup(server);
    await server.stop();
    const file = join(folder, 'state', 'operator-token');
    const elsewhere = join(temporaryFolder(), 'elsewhere');
    cpSync(file, elsewhere);
    rmSync(file);
    symlinkSync(elsewhere, file);
    const { code, said } = await restore(folder, join(temporaryFolder(), 'new'));
    expect({ code, said }).toMatchObject({
      code: 1,
      said: expect.stringContaining('operator-token is missing'),
    });
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

  it('when nobody asks for the root key, it stays out of them; when the server has one, each start warns', async () => {
    const server = await startTestServer();
    const { folder } = await backup(server);
    expect(existsSync(join(server.stateDir, 'root-key.pem'))).toBe(true);
    expect(existsSync(join(folder, 'state', 'trust.json'))).toBe(true);
    expect(existsSync(join(folder, 'state', 'root-key.pem'))).toBe(false);
    expect(server.log.join('')).toContain('"code":"root-key-here"');
    await server.stop();
    const stateDir = join(temporaryFolder(), 'without');
    expect(await restore(folder, stateDir)).toMatchObject({ code: 0 });
    const without = await startTestServer({ stateDir });
    expect(without.log.join('')).not.toContain('root-key-here');
    expect((await without.api('GET', '/v1/trust')).body).toEqual((await restartOf(server)).body);
  });

  it('when nobody says who asks, there is none', async () => {
    const server = await startTestServer();
    const response = await fetch(`${server.url}/v1/server/backups`, { method: 'POST' });
    expect(response.status).toBe(401);
  });
});
