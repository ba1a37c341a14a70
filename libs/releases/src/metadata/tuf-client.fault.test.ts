import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalize } from '@tufjs/canonical-json';
import { systemClock } from '@bowline/runtime';
import { temporaryFolder } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { changeRoot, LIFETIME_MS, publish, tufKey, type ReleaseSigner } from '../publisher/index.ts';
import {
  createSigner,
  createTestRepository,
  serveFolder,
  type TestRepository,
  type TestServer,
} from '../testing/index.ts';
import { httpMirror } from '../transport/index.ts';
import { refreshMetadata, trustedFiles } from './index.ts';

const NOW = Date.UTC(2026, 10, 25);
const HOUR = 3600_000;
const code = (name: string) => expect.objectContaining({ name: 'TransientError', code: name });

let now: number;
let repository: TestRepository;
let server: TestServer;
let state: string;
beforeEach(async () => {
  now = NOW;
  repository = await createTestRepository(temporaryFolder(), { now: () => now });
  server = await serveFolder(repository.folder);
  state = temporaryFolder();
});
afterEach(() => server.close());

const metadataFile = (name: string) => join(repository.folder, 'metadata', name);
const firstRoot = () => readFileSync(metadataFile('1.root.json'), 'utf8');
const anchorOf = (text: string) => createHash('sha256').update(text).digest('hex');
const store = () => trustedFiles(join(state, 'trusted.json'), join(state, 'floor.json'));

/** One look of a device at the server: what it knows of the release afterwards. */
async function look({
  anchor = anchorOf(firstRoot()),
  target = 'kiosk/1.0.0.json',
  save = store().save,
} = {}) {
  const mirror = httpMirror({
    url: server.url,
    stallMs: 5000,
    minBytesPerSecond: 1,
    userAgent: 'test',
    clock: systemClock,
  });
  const until = new AbortController().signal;
  try {
    const metadata = await refreshMetadata(
      {
        store: { ...store(), save },
        scratchDir: join(state, 'scratch'),
        anchor,
        initialRoot: () => Promise.resolve(firstRoot()),
        get: (name, signal) => mirror.get(`metadata/${name}`, {}, signal),
        nowMs: now,
      },
      until,
    );
    const found = await metadata.target(target);
    metadata.close();
    return found?.hashes['sha256'];
  } finally {
    mirror.close();
  }
}
const versions = () => store().load().floor?.versions;

/** Changes signed metadata as whoever holds these keys could. */
async function forge(
  name: string,
  change: (signed: Record<string, unknown>) => void,
  signers: readonly ReleaseSigner[],
) {
  const file = metadataFile(name);
  const metadata = JSON.parse(readFileSync(file, 'utf8')) as {
    signed: Record<string, unknown>;
    signatures: object[];
  };
  change(metadata.signed);
  const bytes = Buffer.from(canonicalize(metadata.signed));
  metadata.signatures = await Promise.all(
    signers.map(async (signer) => ({
      keyid: tufKey(signer.jwk).id,
      sig: Buffer.from(await signer.sign(bytes)).toString('hex'),
    })),
  );
  writeFileSync(file, JSON.stringify(metadata));
}

describe('metadata of an update server', () => {
  test('when all is well, the release is known, and the second look fetches what is new alone', async () => {
    const { digest } = await repository.release({ a: '1' });
    expect(await look()).toBe(digest);
    expect(versions()).toEqual({ root: 1, targets: 2, snapshot: 2, timestamp: 2 });
    server.requests.length = 0;
    expect(await look()).toBe(digest);
    expect(server.requests.map(({ path }) => path)).toEqual([
      'metadata/2.root.json',
      'metadata/timestamp.json',
    ]);
    expect(await look({ target: 'kiosk/9.9.9.json' })).toBeUndefined();
    expect(readdirSync(state)).toEqual(['floor.json', 'trusted.json']);
  });

  test('when the disk does not take what was verified, that is said of the disk, not of the server', async () => {
    const { digest } = await repository.release({ a: '1' });
    const failing = (errno: string) => () => {
      throw Object.assign(new Error(`${errno}: refused, write`), { code: errno, syscall: 'write' });
    };
    await expect(look({ save: failing('ENOSPC') })).rejects.toThrow(code('no-space'));
    await expect(look({ save: failing('EIO') })).rejects.toThrow(expect.objectContaining({ code: 'EIO' }));
    expect(await look()).toBe(digest);
  });

  test('when the first root is another than the device was told of, nothing is believed', async () => {
    await repository.release({ a: '1' });
    await expect(look({ anchor: 'f'.repeat(64) })).rejects.toThrow(code('metadata-untrusted'));
    expect(store().load().trusted).toBeUndefined();
  });

  test.each(['1.targets.json', '1.snapshot.json', 'timestamp.json'])(
    'when a byte of %s is another, it is refused',
    async (name) => {
      const file = metadataFile(name);
      const bytes = readFileSync(file);
      for (const at of [bytes.length >> 2, bytes.length >> 1, bytes.length - (bytes.length >> 3)]) {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] ?? 0) ^ 1;
        writeFileSync(file, flipped);
        await expect(look()).rejects.toThrow(code('metadata-untrusted'));
      }
      writeFileSync(file, bytes);
      await look();
    },
  );

  test('when metadata is signed by a key of another role, or of nobody, it is refused', async () => {
    for (const signers of [[repository.signers.snapshot], [createSigner()], []]) {
      await forge('timestamp.json', () => {}, signers);
      await expect(look()).rejects.toThrow(code('metadata-untrusted'));
    }
    await forge('timestamp.json', () => {}, [repository.signers.timestamp]);
    await look();
  });

  test('when targets need two signatures, one key alone or twice is not enough', async () => {
    const second = createSigner();
    const { folder, all, signers } = repository;
    const two = { keys: [signers.targets.jwk, second.jwk], threshold: 2 };
    await changeRoot(folder, (roles) => ({ ...roles, targets: two }), [...all, second], now);
    await publish(folder, [...all, second], now);
    await forge('2.targets.json', () => {}, [signers.targets]);
    const short = readFileSync(metadataFile('2.targets.json'), 'utf8');
    const parsed = JSON.parse(short) as { signatures: object[] };
    const twice = JSON.stringify({ ...parsed, signatures: [...parsed.signatures, ...parsed.signatures] });
    for (const text of [short, twice]) {
      state = temporaryFolder();
      writeFileSync(metadataFile('2.targets.json'), text);
      await describeTargets(text);
      await expect(look()).rejects.toThrow(code('metadata-untrusted'));
    }
    state = temporaryFolder();
    await forge('2.targets.json', () => {}, [signers.targets, second]);
    await describeTargets(readFileSync(metadataFile('2.targets.json'), 'utf8'));
    await look();
  });

  /** Snapshot and timestamp that fit this text, by those who hold their keys. */
  async function describeTargets(text: string): Promise<void> {
    const { snapshot, timestamp } = repository.signers;
    const print = (of: string) => ({ length: Buffer.byteLength(of), hashes: { sha256: anchorOf(of) } });
    await forge(
      '2.snapshot.json',
      (signed) =>
        Object.assign((signed['meta'] as Record<string, object>)['targets.json'] ?? {}, print(text)),
      [snapshot],
    );
    const snapshotText = readFileSync(metadataFile('2.snapshot.json'), 'utf8');
    await forge(
      'timestamp.json',
      (signed) =>
        Object.assign((signed['meta'] as Record<string, object>)['snapshot.json'] ?? {}, print(snapshotText)),
      [timestamp],
    );
  }

  test('when the server shows an older state, it is refused, also by a device whose metadata was damaged', async () => {
    const before = temporaryFolder();
    cpSync(join(repository.folder, 'metadata'), before, { recursive: true });
    await repository.release({ a: '1' });
    await look();
    rmSync(join(repository.folder, 'metadata'), { recursive: true });
    cpSync(before, join(repository.folder, 'metadata'), { recursive: true });
    await expect(look()).rejects.toThrow(code('metadata-rollback'));
    truncateSync(join(state, 'trusted.json'), 100);
    await expect(look()).rejects.toThrow(code('metadata-rollback'));
    expect(versions()).toMatchObject({ timestamp: 2 });
  });

  test.each(['trusted.json', 'floor.json'])(
    'when %s is damaged, cut off or gone, the next look mends it',
    async (name) => {
      const { digest } = await repository.release({ a: '1' });
      await look();
      const file = join(state, name);
      const whole = readFileSync(file);
      for (const damaged of [
        whole.subarray(0, whole.length >> 1),
        Buffer.alloc(whole.length),
        whole.subarray(0, 0),
        flip(whole),
      ]) {
        writeFileSync(file, damaged);
        expect(await look()).toBe(digest);
        expect(readFileSync(file)).toEqual(whole);
      }
      rmSync(file);
      expect(await look()).toBe(digest);
    },
  );

  test('when time has passed the expiry, the state is refused as stale (freeze)', async () => {
    await repository.release({ a: '1' });
    await look();
    now += LIFETIME_MS.timestamp + HOUR;
    await expect(look()).rejects.toThrow(code('metadata-expired'));
    await repository.publish();
    await look();
  });

  test.each(['root', 'targets', 'snapshot'] as const)(
    'when only the %s has expired, it is refused',
    async (role) => {
      now = NOW - LIFETIME_MS[role] - HOUR;
      const old = await createTestRepository(temporaryFolder(), { now: () => now });
      now = NOW;
      await server.close();
      server = await serveFolder(old.folder);
      repository = old;
      if (role === 'snapshot') {
        const signed = (name: string) =>
          JSON.parse(readFileSync(metadataFile(name), 'utf8')) as { signed: { expires: string } };
        const later = signed('timestamp.json').signed;
        later.expires = new Date(NOW + HOUR).toISOString().replace(/\.\d+/, '');
        await forge('timestamp.json', (each) => Object.assign(each, { expires: later.expires }), [
          old.signers.timestamp,
        ]);
      } else await old.publish();
      await expect(look()).rejects.toThrow(code('metadata-expired'));
    },
  );

  test('when the device has the clock of 1970 or of 2090, the time that it is told counts', async () => {
    await repository.release({ a: '1' });
    now = Date.UTC(2090, 0, 1);
    await expect(look()).rejects.toThrow(code('metadata-expired'));
    expect(store().load().floor?.atMs ?? 0).toBe(0);
    now = NOW + HOUR;
    await look();
    expect(store().load().floor?.atMs).toBe(now);
  });

  test('when files of two states are mixed, they are refused', async () => {
    const before = temporaryFolder();
    await repository.release({ a: '1' }, { version: '1.0.0' });
    cpSync(join(repository.folder, 'metadata'), before, { recursive: true });
    await repository.release({ a: '2' }, { version: '2.0.0' });
    for (const [from, to] of [
      ['2.snapshot.json', '3.snapshot.json'],
      ['2.targets.json', '3.targets.json'],
    ] as const) {
      const good = readFileSync(metadataFile(to));
      cpSync(join(before, from), metadataFile(to));
      await expect(look()).rejects.toThrow(code('metadata-untrusted'));
      writeFileSync(metadataFile(to), good);
    }
    await look();
  });

  test('when the root was changed several times, a device that was away follows it step by step', async () => {
    const { folder, all, signers } = repository;
    await look();
    let root = signers.root;
    for (let step = 0; step < 3; step += 1) {
      const next = createSigner();
      await changeRoot(
        folder,
        (roles) => ({ ...roles, root: { keys: [next.jwk], threshold: 1 } }),
        [root, next],
        now,
      );
      await publish(folder, all, now);
      root = next;
    }
    await look();
    expect(versions()).toMatchObject({ root: 4 });
  });

  test('when a byte of the next root is another, it is refused and the root before counts', async () => {
    const { folder, all } = repository;
    await look();
    await changeRoot(folder, (roles) => roles, all, now);
    await publish(folder, all, now);
    const file = metadataFile('2.root.json');
    const bytes = readFileSync(file);
    for (const at of [bytes.length >> 2, bytes.length >> 1, bytes.length - (bytes.length >> 3)]) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      writeFileSync(file, flipped);
      await expect(look()).rejects.toThrow(code('metadata-untrusted'));
      expect(versions()).toMatchObject({ root: 1 });
    }
    writeFileSync(file, bytes);
    await look();
    expect(versions()).toMatchObject({ root: 2 });
  });

  test('when a refresh breaks after a new root, the root is kept: its old key can do nothing any more', async () => {
    const { folder, all, signers } = repository;
    await look();
    const next = createSigner();
    await changeRoot(
      folder,
      (roles) => ({ ...roles, timestamp: { keys: [next.jwk], threshold: 1 } }),
      all,
      now,
    );
    await publish(folder, [...all, next], now);
    server.behave = (request, response) => {
      if (request.url?.endsWith('timestamp.json') !== true) return false;
      response.destroy();
      return true;
    };
    await expect(look()).rejects.toThrow(code('fetch-failed'));
    server.behave = undefined;
    expect(versions()).toMatchObject({ root: 2 });
    await forge('timestamp.json', () => {}, [signers.timestamp]);
    await expect(look()).rejects.toThrow(code('metadata-untrusted'));
  });

  test('when the key of the timestamp was stolen and its version driven up, a new root brings devices back', async () => {
    const { folder, all, signers } = repository;
    await look();
    const good = readFileSync(metadataFile('timestamp.json'));
    await forge('timestamp.json', (signed) => Object.assign(signed, { version: 1_000_000 }), [
      signers.timestamp,
    ]);
    await look();
    writeFileSync(metadataFile('timestamp.json'), good);
    await expect(look()).rejects.toThrow(code('metadata-rollback'));
    const next = createSigner();
    await changeRoot(
      folder,
      (roles) => ({ ...roles, timestamp: { keys: [next.jwk], threshold: 1 } }),
      all,
      now,
    );
    await publish(folder, [...all, next], now);
    await look();
    expect(versions()).toMatchObject({ root: 2, timestamp: 2 });
  });

  test('when metadata was damaged and the root is newer, versions fall only if it has taken a key away', async () => {
    const { folder, all, signers } = repository;
    const older = temporaryFolder();
    cpSync(join(folder, 'metadata'), older, { recursive: true });
    await repository.release({ a: '1' });
    await look();
    const more = createSigner();
    const changed = async (keys: ReleaseSigner[]) => {
      const timestamp = { keys: keys.map(({ jwk }) => jwk), threshold: 1 };
      await changeRoot(folder, (roles) => ({ ...roles, timestamp }), all, now);
      await publish(folder, [...all, more], now);
    };
    await changed([signers.timestamp, more]);
    const newest = temporaryFolder();
    cpSync(join(folder, 'metadata'), newest, { recursive: true });
    cpSync(older, join(folder, 'metadata'), { recursive: true });
    const damage = () => truncateSync(join(state, 'trusted.json'), 100);
    damage();
    // What the old key has signed is good under the new root, too.
    await expect(look()).rejects.toThrow(code('metadata-rollback'));
    expect(versions()).toMatchObject({ root: 1, targets: 2, snapshot: 2, timestamp: 2 });

    cpSync(newest, join(folder, 'metadata'), { recursive: true });
    await look();
    await forge('timestamp.json', (signed) => Object.assign(signed, { version: 1_000_000 }), [
      signers.timestamp,
    ]);
    await look();
    damage();
    cpSync(join(newest, 'timestamp.json'), metadataFile('timestamp.json'));
    await expect(look()).rejects.toThrow(code('metadata-rollback'));
    await changed([more]);
    await look();
    expect(versions()).toMatchObject({ root: 3, targets: 2, snapshot: 4, timestamp: 4 });
  });

  test('when the server is another program, it is refused without harm', async () => {
    await look();
    server.behave = (_, response) => {
      response.end('<html>Please log in to the hotel network</html>');
      return true;
    };
    await expect(look()).rejects.toThrow(code('metadata-untrusted'));
    server.behave = (_, response) => {
      response.writeHead(404).end();
      return true;
    };
    await expect(look()).rejects.toThrow(code('fetch-refused'));
    server.behave = (_, response) => {
      response.write(Buffer.alloc(1024 * 1024));
      return true;
    };
    await expect(look()).rejects.toThrow(code('fetch-broken'));
    server.behave = undefined;
    await look();
  });
});

function flip(bytes: Buffer): Buffer {
  const flipped = Buffer.from(bytes);
  const at = flipped.length >> 1;
  flipped[at] = (flipped[at] ?? 0) ^ 4;
  return flipped;
}
