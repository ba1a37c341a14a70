import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { temporaryFolder } from '@bowline/testing';
import { create, list } from 'tar';
import { beforeEach, describe, expect, test } from 'vitest';
import { LIFETIME_MS, writeBundle } from '../publisher/index.ts';
import { createTestRepository, never, testDevice, type TestRepository } from '../testing/index.ts';
import { bundleSupply } from './bundle-supply.ts';
import { differences } from './lay-out.ts';

const BIG = randomBytes(400_000);
const code = (name: string) => expect.objectContaining({ name: 'TransientError', code: name });

let repository: TestRepository;
let folder: string;
let bundle: string;
beforeEach(async () => {
  repository = await createTestRepository(temporaryFolder());
  folder = temporaryFolder();
  bundle = join(folder, 'hello.tar');
  await repository.release({ 'data.bin': BIG, 'bin/run': { run: 'x' }, empty: '' });
  await writeBundle(repository.folder, { name: 'kiosk', version: '1.0.0' }, bundle, 'a.b.c\n');
});
const device = (serverMs?: number) =>
  testDevice({
    supply: bundleSupply(bundle),
    folder,
    repository: repository.folder,
    serverMs: serverMs ?? Date.now(),
  });
const bring = (serverMs?: number) => device(serverMs).bring(join(folder, 'out'));

/** Makes the bundle anew from what was in it, changed. */
async function rewrite(change: (top: string) => void, follow = (paths: string[]) => paths): Promise<void> {
  const top = join(folder, 'top');
  const paths: string[] = [];
  await list({ file: bundle, onReadEntry: ({ path }) => paths.push(path) });
  for (const path of paths.filter((each) => each !== 'order.jws')) {
    mkdirSync(join(top, path, '..'), { recursive: true });
    cpSync(join(repository.folder, path), join(top, path));
  }
  change(top);
  await create(
    { file: bundle, cwd: top, portable: true, noDirRecurse: true },
    follow(paths.filter((each) => each !== 'order.jws')),
  );
}

describe('a bundle', () => {
  test('when a release is in it, it is laid out without a network, and the order comes with it', async () => {
    const { plan, progress } = await bring();
    expect(progress).toMatchObject({ bytes: BIG.length + 1, totalBytes: BIG.length + 1 });
    expect(readFileSync(join(folder, 'out/data.bin')).equals(BIG)).toBe(true);
    expect(await differences(plan.manifest, join(folder, 'out'), never)).toEqual([]);
    expect(await bundleSupply(bundle).order(never)).toBe('a.b.c');
  });

  test('when it holds another release than the order names, or an expired state, it is refused', async () => {
    await expect(device().resolve({ version: '2.0.0' })).rejects.toThrow(
      expect.objectContaining({ code: 'release-unknown' }),
    );
    await expect(bring(Date.now() + 2 * LIFETIME_MS.timestamp)).rejects.toThrow(code('metadata-expired'));
  });

  test('when a content is another, or is missing, nothing is laid out', async () => {
    const { manifest } = await device().resolve();
    const { sha256 = '' } = manifest.files.find(({ path }) => path === 'data.bin') ?? {};
    const blob = `blobs/${sha256.slice(0, 2)}/${sha256}`;
    await rewrite((top) => writeFileSync(join(top, blob), Buffer.alloc(BIG.length)));
    await expect(bring()).rejects.toThrow(code('fetch-broken'));
    await rewrite(
      () => {},
      (paths) => paths.filter((path) => path !== blob),
    );
    await expect(bring()).rejects.toThrow(code('fetch-broken'));
    expect(readdirSync(folder)).not.toContain('out');
  });

  test('when it holds links, names that lead out, or things that nobody asked for, they are skipped', async () => {
    await rewrite(
      (top) => {
        symlinkSync('/etc', join(top, 'link'));
        writeFileSync(join(top, 'more'), 'more');
        writeFileSync(join(folder, 'escaped'), 'out');
      },
      (paths) => ['link', 'more', '../escaped', ...paths],
    );
    rmSync(join(folder, 'escaped'), { force: true });
    await bring();
    expect(readdirSync(join(folder, 'out')).toSorted()).toEqual(['bin', 'data.bin', 'empty']);
    expect(readdirSync(folder)).not.toContain('escaped');
  });

  test('when it is cut off anywhere, or is something else, it is said, and a good one then works', async () => {
    const whole = readFileSync(bundle);
    for (const part of [0.001, 0.01, 0.3, 0.9]) {
      truncateSync(bundle, Math.floor(whole.length * part));
      await expect(bring()).rejects.toThrow(expect.objectContaining({ name: 'TransientError' }));
      writeFileSync(bundle, whole);
    }
    writeFileSync(bundle, randomBytes(100_000));
    await expect(bring()).rejects.toThrow(code('bundle-broken'));
    rmSync(bundle);
    await expect(bring()).rejects.toThrow(code('bundle-broken'));
    writeFileSync(bundle, whole);
    await bring();
  });

  test.each([
    { name: 'gzip', pack: (bytes: Buffer) => gzipSync(bytes) },
    { name: 'zstd', pack: (bytes: Buffer) => zstdCompressSync(bytes) },
  ])('when it is compressed by $name, it is not unpacked, and it is said what to do', async ({ pack }) => {
    const whole = readFileSync(bundle);
    writeFileSync(bundle, pack(Buffer.concat([whole, Buffer.alloc(32 * 1024 ** 2)])));
    const refusal = { code: 'bundle-compressed', message: expect.stringMatching(/unpack it/) as string };
    await expect(bring()).rejects.toThrow(expect.objectContaining(refusal));
    await expect(bundleSupply(bundle).order(never)).rejects.toThrow(expect.objectContaining(refusal));
    writeFileSync(bundle, whole);
    await bring();
  });

  test('when it is larger than any release, or no file, it is not read', async () => {
    truncateSync(bundle, 2 ** 37);
    await expect(bring()).rejects.toThrow(/is larger than \d+ bytes/);
    bundle = '/dev/zero';
    await expect(bring()).rejects.toThrow('/dev/zero is no file');
    await expect(bring()).rejects.toThrow(code('bundle-broken'));
  });

  test('when bits in it are flipped, it is refused or skipped, and never laid out wrongly', async () => {
    const whole = readFileSync(bundle);
    const plan = await device().resolve();
    const outcomes: string[] = [];
    for (let at = 100; at < whole.length; at += Math.floor(whole.length / 40)) {
      const flipped = Buffer.from(whole);
      flipped[at] = (flipped[at] ?? 0) ^ 0x10;
      writeFileSync(bundle, flipped);
      const out = join(folder, `out-${at}`);
      outcomes.push(
        await device()
          .bring(out)
          .then(
            async () => (await differences(plan.manifest, out, never)).join(', '),
            (error: Error) => error.name,
          ),
      );
      await device().source.discard();
      rmSync(join(folder, 'state'), { recursive: true });
    }
    expect(outcomes.length).toBeGreaterThan(30);
    expect(outcomes.filter((each) => !['', 'TransientError'].includes(each))).toEqual([]);
  });
});
