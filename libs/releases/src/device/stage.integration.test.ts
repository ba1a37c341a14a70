import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ReleaseManifest } from '../manifest-schema.ts';
import {
  createTestRepository,
  never,
  serveFolder,
  testDevice,
  type TestDevice,
  type TestDeviceOptions,
  type TestRepository,
  type TestServer,
  type TestTree,
} from '../testing/index.ts';
import { addRelease } from '../publisher/index.ts';
import type { Twins } from '../twin-names.ts';
import { isOne } from './apart.ts';
import { differences, isLaidOut } from './lay-out.ts';
import type { FetchProgress } from './release-source.ts';

const code = (name: string) => expect.objectContaining({ code: name });

let repository: TestRepository;
let server: TestServer;
let folder: string;
let devices: TestDevice[];
beforeEach(async () => {
  repository = await createTestRepository(temporaryFolder());
  server = await serveFolder(repository.folder);
  folder = temporaryFolder();
  devices = [];
});
afterEach(async () => {
  for (const each of devices) each.close();
  await server.close();
});
function device(options: Partial<TestDeviceOptions> = {}): TestDevice {
  const made = testDevice({ urls: [server.url], folder, repository: repository.folder, ...options });
  devices.push(made);
  return made;
}
const at = (path: string) => join(folder, 'out', path);
const TREE: TestTree = {
  'bin/run': { run: '#!/bin/sh\n' },
  'lib/a.txt': 'same',
  'lib/b.txt': 'same',
  'lib/link': { link: '../bin/run' },
  'lib/empty': '',
  'var/deep/none': null,
};

describe('a release that is laid out', () => {
  test('when it was fetched, it is exactly what was released, and contents that are the same came once', async () => {
    const { manifest } = await repository.release(TREE);
    const umask = process.umask(0o077);
    let plan;
    try {
      ({ plan } = await device().bring(at('')));
    } finally {
      process.umask(umask);
    }
    expect(plan).toMatchObject({
      kind: 'app',
      name: 'kiosk',
      version: '1.0.0',
      files: 4,
      totalBytes: 18,
      fetchBytes: 14,
      reusedBytes: 0,
    });
    expect(readFileSync(at('lib/b.txt'), 'utf8')).toBe('same');
    expect(readlinkSync(at('lib/link'))).toBe('../bin/run');
    expect([statSync(at('bin/run')).mode & 0o7777, statSync(at('lib/a.txt')).mode & 0o7777]).toEqual([
      0o755, 0o644,
    ]);
    expect(statSync(at('var/deep/none')).mode & 0o7777).toBe(0o755);
    expect(await differences(manifest, at(''), never)).toEqual([]);
    expect(server.requests.filter(({ path }) => path.startsWith('blobs/'))).toHaveLength(2);
  });

  test('when anything in it is another, is absent or too much, it is named', async () => {
    const { manifest } = await repository.release(TREE);
    await device().bring(at(''));
    writeFileSync(at('lib/a.txt'), 'SAME');
    chmodSync(at('lib/b.txt'), 0o666);
    rmSync(at('lib/link'));
    symlinkSync('/etc', at('lib/link'));
    rmSync(at('var'), { recursive: true });
    writeFileSync(at('bin/more'), '');
    const found = await differences(manifest, at(''), never);
    expect(found.toSorted()).toEqual([
      'bin/more',
      'lib/a.txt',
      'lib/b.txt',
      'lib/link',
      'var',
      'var/deep',
      'var/deep/none',
    ]);
  });

  test('when it lies there already, it is known for whole, and any other folder is not', async () => {
    await repository.release(TREE);
    const { manifest } = (await device().bring(at(''))).plan;
    expect(await isLaidOut(manifest, at(''), never)).toBe(true);
    rmSync(at('var/deep/none'), { recursive: true });
    expect(await isLaidOut(manifest, at(''), never)).toBe(false);
    expect(await isLaidOut(manifest, join(folder, 'nowhere'), never)).toBe(false);
  });

  test('when the folder is not empty, nothing is laid out in it', async () => {
    await repository.release(TREE);
    mkdirSync(at(''));
    writeFileSync(at('there'), '');
    await expect(device().bring(at(''))).rejects.toThrow(code('folder-not-empty'));
    expect(readdirSync(at(''))).toEqual(['there']);
  });

  test('when what was fetched is damaged before it is laid out, it is said, and fetched once more', async () => {
    const { manifest } = await repository.release({ a: 'first', b: 'second' });
    const { source, resolve } = device();
    const plan = await resolve();
    await source.fetch(plan, () => {}, never);
    const damaged = join(folder, 'state/content', manifest.files[1]?.sha256 ?? '');
    writeFileSync(damaged, 'Second');
    await expect(source.stage(plan, at(''), never)).rejects.toThrow(code('content-missing'));
    rmSync(at(''), { recursive: true });
    server.requests.length = 0;
    await source.fetch(plan, () => {}, never);
    expect(server.requests).toHaveLength(1);
    await source.stage(plan, at(''), never);
    expect(readFileSync(at('b'), 'utf8')).toBe('second');
    await source.discard();
    expect(readdirSync(join(folder, 'state/content'))).toEqual(['partial']);
  });

  test('when two of its names are one on this file system, it is refused for good', async () => {
    await repository.release({ a: 'first', b: 'second' });
    const { source, resolve } = device();
    const plan = await resolve();
    await source.fetch(plan, () => {}, never);
    // As where names fold: the second finds the first.
    const files = plan.manifest.files.map((file) => ({ ...file, path: 'a' }));
    const folded = { ...plan, manifest: { ...plan.manifest, files } };
    await expect(source.stage(folded, at(''), never)).rejects.toThrow(code('names-fold'));
  });

  test('when two of its names differ only in case, it is refused before a byte is fetched where they are one, and laid out where not', async () => {
    const { manifest } = await repository.add({ 'etc/readme': 'first', 'etc/b': 'second' });
    const [b, readme] = manifest.files;
    if (b === undefined || readme === undefined) throw new Error('no files');
    const files = [readme, { ...b, path: 'Etc/readme' }, { ...b, path: 'etc/README' }];
    await addRelease(repository.folder, { ...manifest, version: '2.0.0', files }, repository.all, Date.now());
    await repository.publish();
    const tried: unknown[] = [];
    const folds = (_: string, names: Twins) => tried.push(names) === 2;
    const refused = device({ takesForOne: folds }).resolve({ version: '2.0.0' });
    await expect(refused).rejects.toThrow('etc/readme and etc/README are the same on this file system');
    await expect(refused).rejects.toThrow(code('names-fold'));
    expect(tried).toEqual([
      ['etc', 'Etc'],
      ['readme', 'README'],
    ]);
    await device().bring(at(''), { version: '2.0.0' });
    expect(
      [at('etc/readme'), at('etc/README'), at('Etc/readme')].map((file) => readFileSync(file, 'utf8')),
    ).toEqual(['first', 'second', 'second']);
    expect([isOne(folder, ['a', 'a']), isOne(folder, ['a', 'A'])]).toEqual([true, false]);
  });

  test('when it is called off, it stops between two files', async () => {
    await repository.release(TREE);
    const { source, resolve } = device();
    const plan = await resolve();
    await source.fetch(plan, () => {}, never);
    await expect(source.stage(plan, at(''), AbortSignal.abort(new Error('off')))).rejects.toThrow('off');
  });
});

describe('what is on the device already', () => {
  /** Lays a tree out by hand, as an earlier release. */
  function here(files: Record<string, Buffer>, manifest: ReleaseManifest) {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(join(folder, 'old', path, '..'), { recursive: true });
      writeFileSync(join(folder, 'old', path), content);
    }
    return { version: manifest.version, trees: [{ folder: join(folder, 'old'), manifest }] };
  }
  const many = Object.fromEntries(
    Array.from({ length: 500 }, (_, index) => [`part-${index % 20}/file-${index}`, randomBytes(20_000)]),
  );

  test('when one file of 500 changed, less than a fiftieth is fetched, and what is saved is said', async () => {
    const first = await repository.add(many);
    const changed = { ...many, 'part-7/file-7': randomBytes(20_000) };
    await repository.release(changed, { version: '1.0.1' });
    const { source, resolve } = device({ installed: here(many, first.manifest) });
    const plan = await resolve({ version: '1.0.1' });
    const told: FetchProgress[] = [];
    await source.fetch(plan, (progress) => told.push(progress), never);
    expect(plan).toMatchObject({ totalBytes: 10_000_000, fetchBytes: 20_000, reusedBytes: 9_980_000 });
    expect(told.at(-1)).toMatchObject({ bytes: 20_000, totalBytes: 20_000 });
    expect(server.sentBytes).toBeLessThan(plan.totalBytes / 50);
  });

  test('when a file of the tree in use was damaged, it is fetched instead', async () => {
    const files = { a: Buffer.from('first'), b: Buffer.from('second') };
    const { manifest } = await repository.release(files);
    const installed = here({ ...files, b: Buffer.from('SECOND') }, manifest);
    rmSync(join(folder, 'old/a'));
    symlinkSync('/etc/passwd', join(folder, 'old/a'));
    const { plan, progress } = await device({ installed }).bring(at(''));
    expect(plan.fetchBytes).toBe(0);
    expect(progress).toMatchObject({ bytes: 11, totalBytes: 11 });
    expect(readFileSync(at('a'), 'utf8') + readFileSync(at('b'), 'utf8')).toBe('firstsecond');
  });
});

describe('a release that is not installed', () => {
  test('when nobody published it, or the order is for another, it is refused before a content is fetched', async () => {
    const { digest } = await repository.release({ a: '1' });
    const { resolve } = device();
    await expect(resolve({ version: '9.9.9' })).rejects.toThrow(code('release-unknown'));
    await expect(resolve({ name: 'other' })).rejects.toThrow(code('release-unknown'));
    await expect(resolve({ digest: 'f'.repeat(64) })).rejects.toThrow(code('release-differs'));
    await expect(resolve({ channel: 'beta' })).rejects.toThrow(code('release-differs'));
    expect(await resolve({ digest })).toMatchObject({ digest });
    expect(server.requests.some(({ path }) => path.startsWith('blobs/'))).toBe(false);
  });

  test('when it is older than what is here, both sides must allow it', async () => {
    await repository.release({ a: '1' });
    await repository.release({ a: '1' }, { version: '1.0.1', allowDowngrade: true });
    const { resolve } = device({ installed: { version: '1.1.0', trees: [] } });
    await expect(resolve({ allowDowngrade: true })).rejects.toThrow(code('downgrade-refused'));
    await expect(resolve({ version: '1.0.1' })).rejects.toThrow(code('downgrade-refused'));
    await resolve({ version: '1.0.1', allowDowngrade: true });
  });

  test('when the manifest was changed on the server, it is refused', async () => {
    const { digest } = await repository.release({ a: '1' });
    const file = join(repository.folder, `targets/kiosk/${digest}.1.0.0.json`);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"stable"', '"stablE"'));
    await expect(device().resolve()).rejects.toThrow(code('fetch-broken'));
  });

  test('when there is not enough room for it, nothing is fetched; once it has begun, room is not asked for twice', async () => {
    await repository.release({ a: '1' });
    const { source, order, resolve } = device({ reserveBytes: 2 ** 52 });
    await expect(resolve()).rejects.toThrow(code('no-space'));
    expect(await source.resolve(order(), never, true)).toMatchObject({ name: 'kiosk' });
  });

  test('when a part of it has come, that part needs no more room', async () => {
    const { manifest } = await repository.release({ big: Buffer.alloc(1e6) });
    const [{ sha256 = '' } = {}] = manifest.files;
    const lacks = () =>
      device({ reserveBytes: 2 ** 52 })
        .resolve()
        .catch(({ message }: Error) => Number(/: (\d+) are needed/.exec(message)?.[1]));
    expect(await lacks()).toBe(2e6);
    writeFileSync(join(folder, 'state/content/partial', sha256), Buffer.alloc(4e5));
    expect(await lacks()).toBe(16e5);
  });

  test('when the time cannot be right, it is refused until it can', async () => {
    await repository.release({ a: '1' });
    const builtMs = Date.now() + 60_000;
    await expect(device({ builtMs, serverMs: undefined }).resolve()).rejects.toThrow(code('no-trusted-time'));
    await device({ serverMs: Date.now() + 10_000 }).resolve();
    await expect(device({ serverMs: Date.now() }).resolve()).rejects.toThrow(code('no-trusted-time'));
    await device({ serverMs: Date.now() + 20_000 }).resolve();
  });
});
