import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { createLogger, systemClock } from '@bowline/runtime';
import { Environment } from '@bowline/record-store';
import { incidents, keys, type ServerRecord } from '@bowline/server-sdk/store';
import { afterThisFile, seededRandom, temporaryFolder } from '@bowline/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { lanes, type RawDevice } from '../testing/raw-device.ts';
import { startTestServer } from '../testing/test-server.ts';
import { LmdbBackend } from './lmdb-backend.ts';
import { openStore, type OpenedStore } from './open-store.ts';

const DAMAGES = Number(process.env['BOWLINE_DAMAGES'] ?? 3);
const MARK = 'here-lies-the-damage';
const MIB = 2 ** 20;
const ALL = { from: '\u0001', to: '~' };

const random = seededRandom();
/** The state folder of a server that served two devices, and all that its store held. */
let original: string;
let device: RawDevice;
let held: Map<string, string>;

const fileIn = (stateDir: string): string => join(stateDir, 'store', 'store.mdb');

async function open(
  stateDir: string,
  compaction = { smallestFile: 1024 * MIB, largestContent: MIB },
): Promise<OpenedStore & { log: string[] }> {
  const log: string[] = [];
  const opened = await openStore({
    stateDir,
    commitDeadlineMs: 30_000,
    compaction,
    clock: systemClock,
    log: createLogger({ app: 'fleet-server', write: (line) => log.push(line) }),
  });
  afterThisFile(() => opened.store.close());
  return { ...opened, log };
}

const contents = ({ store }: Pick<OpenedStore, 'store'>): Map<string, string> =>
  new Map(store.range(ALL).map(({ key, value }) => [key, value.toString('latin1')]));

function copied(): string {
  const stateDir = join(temporaryFolder(), 'server');
  cpSync(original, stateDir, { recursive: true });
  return stateDir;
}

function change(file: string, how: (content: Buffer) => Buffer | void): void {
  const content = readFileSync(file);
  writeFileSync(file, how(content) ?? content);
}

beforeAll(async () => {
  const server = await startTestServer();
  original = server.stateDir;
  device = await server.device('d1');
  await server.device('d2');
  const link = await device.open();
  for (let seq = 1; seq <= 40; seq += 1) {
    link.sample(seq, seq);
    link.event(seq, seq === 20 ? MARK : 'test');
    if (seq % 10 === 0) await link.receipted('events', seq);
  }
  await link.receipted('telemetry', 40);
  for (let n = 0; n < 5; n += 1)
    await server.api('POST', '/v1/devices/d1/orders', { type: 'command', payload: { name: 'ping' } });
  await server.stop();
  held = contents(await open(copied()));
});

/** Frames and ids are written once: whatever is there is what was there, or the store says that something is wrong. */
async function expectTruth(stateDir: string, what: string): Promise<OpenedStore> {
  const opened = await open(stateDir);
  const found = contents(opened);
  const changed = [...found].filter(([key, body]) => /^(log|ids)\//.test(key) && held.get(key) !== body);
  expect(changed, what).toEqual([]);
  const told = incidents(opened.store).at(-1);
  const missing = [...held.keys()].filter((key) => !found.has(key) && !/^(queue|jti)\//.test(key));
  expect(told === undefined ? missing : [], what).toEqual([]);
  const { serverEpoch, serverId } = JSON.parse(held.get(keys.server) ?? '') as ServerRecord;
  expect(opened.identity.serverId, what).toBe(serverId);
  expect(opened.identity.serverEpoch === serverEpoch, what).toBe(told === undefined);
  await opened.store.close();

  const again = await open(stateDir);
  expect(incidents(again.store), `${what}, opened again`).toHaveLength(told === undefined ? 0 : 1);
  expect(again.identity.serverEpoch, what).toBe(opened.identity.serverEpoch);
  await again.store.close();
  return opened;
}

describe('a damaged store', () => {
  it('when a record is damaged, the rest is saved under a new epoch, the loss is told, and the damaged file is kept', async () => {
    const stateDir = copied();
    change(fileIn(stateDir), (content) => {
      for (let at = content.indexOf(MARK); at >= 0; at = content.indexOf(MARK, at + 1)) content[at] = 0x58;
    });
    const { store, identity, log, files } = await open(stateDir);
    const [incident] = incidents(store);
    expect(incident).toMatchObject({
      kind: 'damaged',
      lost: [{ kind: 'events', deviceId: 'd1' }, { kind: 'events' }],
    });
    expect(identity.serverEpoch).not.toBe(
      (JSON.parse(held.get(keys.server) ?? '') as ServerRecord).serverEpoch,
    );
    expect(statSync(files.quarantine).size).toBe(statSync(fileIn(original)).size);
    expect(log.join()).toContain('a new serverEpoch begins');
    const status = JSON.parse(store.get(keys.status('d1'))?.toString() ?? '');
    expect(status.alarms.at(-1)).toMatchObject({ kind: 'server-lost-data' });
    const missing = [...held.keys()].filter((key) => store.get(key) === undefined);
    expect(missing.filter((key) => !key.startsWith('queue/'))).toHaveLength(1);
    await store.close();

    const server = await startTestServer({ stateDir });
    const info = await server.api('GET', '/v1/server');
    expect(info.body).toMatchObject({ serverEpoch: identity.serverEpoch, incidents: [{ kind: 'damaged' }] });
    device.link = `${server.url.replace('http', 'ws')}/v1/devices/d1/link`;
    const link = await device.open(lanes({ telemetry: [41, 41], events: [41, 41] }));
    expect(link.frames[0]?.payload).toMatchObject({
      serverEpoch: identity.serverEpoch,
      received: { telemetry: 40, events: 40 },
    });
    await link.next('command'); // what has not ended goes out once more
    link.event(41, 'later');
    await link.receipted('events', 41);
  });

  it.each(['bits', 'sectors'])(
    `when %s of it are damaged (${DAMAGES} times), it opens with right data or a told loss`,
    async (kind) => {
      const size = statSync(fileIn(original)).size;
      for (let round = 0; round < DAMAGES; round += 1) {
        const stateDir = copied();
        // Every third time in the first pages, which hold the root.
        const at = random.integer(0, (round % 3 === 0 ? Math.min(size, 8192) : size) - 1);
        change(fileIn(stateDir), (content) => {
          if (kind === 'bits') content[at] = (content[at] ?? 0) ^ (1 << random.integer(0, 7));
          else content.fill(0, at - (at % 512), at - (at % 512) + 512);
        });
        await expectTruth(stateDir, `${kind} at ${at}`);
      }
    },
  );

  it('when it was cut short, is empty or no store at all, it opens with what can be found, under the same server id', async () => {
    for (const cut of [
      (content: Buffer) => content.subarray(0, content.length / 2),
      () => Buffer.alloc(0),
      () => Buffer.alloc(50_000, 7),
    ]) {
      const stateDir = copied();
      change(fileIn(stateDir), cut);
      await expectTruth(stateDir, String(cut));
    }
  });

  it('when its file is gone, devices still know the server, which says by a new epoch that it knows nothing', async () => {
    const stateDir = copied();
    const before = JSON.parse(held.get(keys.server) ?? '') as ServerRecord;
    rmSync(join(stateDir, 'store'), { recursive: true });
    const { identity } = await open(stateDir);
    expect(identity.serverId).toBe(before.serverId);
    expect(identity.serverEpoch).not.toBe(before.serverEpoch);
  });

  it('when somebody puts an older state in its place, a new epoch begins and operators are told', async () => {
    const stateDir = copied();
    const older = join(temporaryFolder(), 'older.mdb');
    copyFileSync(fileIn(stateDir), older);
    const { store, identity } = await open(stateDir);
    await store.close();
    copyFileSync(older, fileIn(stateDir));
    const back = await open(stateDir);
    expect(back.identity.serverEpoch).not.toBe(identity.serverEpoch);
    expect(incidents(back.store)).toMatchObject([{ kind: 'set-back' }]);
  });
});

describe('versions of the store', () => {
  it('when a newer program wrote it, it is refused with what to do and left alone', async () => {
    const stateDir = copied();
    const backend = new LmdbBackend(fileIn(stateDir), { lastCommit: 1000 });
    const record = { ...(JSON.parse(held.get(keys.server) ?? '') as ServerRecord), schemaVersion: 99 };
    await backend.flush(new Map([[keys.server, [Buffer.from(JSON.stringify(record))]]]));
    await backend.close();
    const before = readFileSync(fileIn(stateDir));
    await expect(open(stateDir)).rejects.toMatchObject({
      code: 'store-newer',
      message: expect.stringContaining('install that one again'),
    });
    expect(readFileSync(fileIn(stateDir)).equals(before)).toBe(true);
  });

  it('when it is of version 1, everything in it is there, under the same epoch', async () => {
    const stateDir = join(temporaryFolder(), 'server');
    mkdirSync(join(stateDir, 'store'), { recursive: true });
    const old = join(stateDir, 'store', 'data.mdb');
    const env = Environment.open(old);
    const sealed = (body: Buffer) => {
      const checksum = Buffer.alloc(4);
      checksum.writeUInt32LE(crc32(body));
      return Buffer.concat([checksum, body]);
    };
    const server = { serverId: 's', serverEpoch: 'e', schemaVersion: 1 };
    const bodies = [...held]
      .filter(([key]) => key !== keys.server)
      .map(([key, body]): [string, Buffer] => [key, Buffer.from(body, 'latin1')]);
    bodies.push([keys.server, Buffer.from(JSON.stringify(server))]);
    await env.commit(new Map(bodies.map(([key, body]) => [key, sealed(body)])));
    await env.close();

    const { store, identity } = await open(stateDir);
    expect(identity).toMatchObject({ serverId: 's', serverEpoch: 'e' });
    const found = contents({ store });
    expect([...held].filter(([key, body]) => key !== keys.server && found.get(key) !== body)).toEqual([]);
    expect(incidents(store)).toEqual([]);
    expect(existsSync(old)).toBe(false);
  });
});

describe('compaction', () => {
  it('when much of a large file is free, it is made smaller at start and holds the same', async () => {
    const stateDir = copied();
    const { store } = await open(stateDir);
    const large = (n: number) => `log/d9/history/1/${n}`;
    const numbers = Array.from({ length: 40 }, (_, n) => n);
    await store.write(numbers.map((n) => ({ key: large(n), value: Buffer.alloc(60_000, n) })));
    await store.write(numbers.map((n) => ({ key: large(n), value: undefined })));
    await store.close();
    const before = statSync(fileIn(stateDir)).size;

    const {
      store: smaller,
      identity,
      backend,
    } = await open(stateDir, { smallestFile: MIB, largestContent: MIB });
    expect(statSync(fileIn(stateDir)).size).toBeLessThan(before / 4);
    expect(backend.usedBytes).toBeLessThan(MIB);
    const found = contents({ store: smaller });
    expect([...held].filter(([key, body]) => !key.startsWith('meta/') && found.get(key) !== body)).toEqual(
      [],
    );
    expect(identity.serverEpoch).toBe((JSON.parse(held.get(keys.server) ?? '') as ServerRecord).serverEpoch);
    await smaller.write([{ key: 'log/d9/history/1/x', value: Buffer.from('x') }]);
    await smaller.close();
    expect(contents(await open(stateDir)).get('log/d9/history/1/x')).toBe('x');
  });
});

describe('a record in the file', () => {
  it('when it goes bad while the store is open, it counts as absent and is logged', async () => {
    const file = join(temporaryFolder(), 'store.mdb');
    const damaged: string[] = [];
    const backend = new LmdbBackend(file, { onDamage: (key) => damaged.push(key) });
    afterThisFile(() => backend.close());
    await backend.flush(
      new Map([
        ['a', [Buffer.from('one')]],
        ['b', [Buffer.from(MARK)]],
      ]),
    );
    change(file, (content) => {
      for (let at = content.indexOf(MARK); at >= 0; at = content.indexOf(MARK, at + 1)) content[at] = 0x58;
    });
    expect(backend.get('b')).toBeUndefined();
    expect(backend.range({ from: 'a', to: 'c' })).toMatchObject([{ key: 'a' }]);
    expect(damaged).toEqual(['b', 'b']);
  });
});
