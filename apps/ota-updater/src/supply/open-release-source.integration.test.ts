import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleSupply } from '@bowline/releases/device';
import { writeBundle } from '@bowline/releases/publisher';
import {
  createTestRepository,
  serveFolder,
  type TestRepository,
  type TestServer,
} from '@bowline/releases/testing';
import { systemClock } from '@bowline/runtime';
import { temporaryFolder } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openReleaseSource, sourceOf, type SourceOptions } from './open-release-source.ts';
import type { SupplyConfig } from './supply-config.ts';

const code = (name: string, of: string) => expect.objectContaining({ name: of, code: name });
const never = new AbortController().signal;
const ORDER = { aud: 'd1', jti: 'j', exp: 1, channel: 'stable', name: 'kiosk', version: '1.0.0' };

let repository: TestRepository;
let server: TestServer;
let folder: string;
let told: string | undefined;
beforeEach(async () => {
  repository = await createTestRepository(temporaryFolder());
  await repository.release({ text: 'one' });
  server = await serveFolder(repository.folder);
  folder = temporaryFolder();
  told = sha256(rootOf(repository));
});
afterEach(() => server.close());

const rootOf = ({ folder: top }: TestRepository) => join(top, 'metadata/1.root.json');
const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
const options = (change: Partial<SupplyConfig> = {}): SourceOptions => ({
  config: {
    stateDir: join(folder, 'state'),
    releasesDir: join(folder, 'releases'),
    supply: {
      mirrors: [server.url],
      allowInsecure: true,
      proxy: 'link',
      noProxy: [],
      parallel: 2,
      attempts: 1,
      stallMs: 5000,
      minBytesPerSecond: 1,
      reserveBytes: 0,
      ...change,
    },
  },
  gate: { releaseRootSha256: () => told },
  serverClock: { nowMs: () => Date.now() },
  installed: () => undefined,
  way: { own: () => undefined },
  clock: systemClock,
});
const resolve = (change: Partial<SupplyConfig> = {}) =>
  openReleaseSource(options(change)).resolve(ORDER, never);

describe('the releases of a device', () => {
  test('when the trust bundle names the root, they are fetched and laid out', async () => {
    const source = openReleaseSource(options());
    const plan = await source.resolve(ORDER, never);
    await source.fetch(plan, () => {}, never);
    await source.stage(plan, join(folder, 'out'), never);
    expect(readFileSync(join(folder, 'out/text'), 'utf8')).toBe('one');
  });

  test('when neither bundle nor factory names a root, or the bundle names another, nothing is believed', async () => {
    told = undefined;
    await expect(resolve()).rejects.toThrow(code('no-release-root', 'RejectedError'));
    told = 'f'.repeat(64);
    await expect(resolve()).rejects.toThrow(code('metadata-untrusted', 'TransientError'));
  });

  test('when the factory names a root, it wins over the bundle', async () => {
    const other = await createTestRepository(temporaryFolder());
    told = sha256(rootOf(other));
    expect(await resolve({ rootFile: rootOf(repository) })).toMatchObject({ version: '1.0.0' });
    told = sha256(rootOf(repository));
    await expect(resolve({ rootFile: rootOf(other) })).rejects.toThrow(
      code('metadata-untrusted', 'TransientError'),
    );
  });

  test('when the bundle names a new repository, it begins anew, and the old one is not believed any more', async () => {
    await resolve();
    const other = await createTestRepository(temporaryFolder());
    await other.release({ text: 'two' });
    const second = await serveFolder(other.folder);
    told = sha256(rootOf(other));
    await expect(resolve()).rejects.toThrow(code('metadata-untrusted', 'TransientError'));
    expect(await resolve({ mirrors: [second.url] })).toMatchObject({ version: '1.0.0' });
    await second.close();
  });

  test('when a mirror is not https, is no URL, or a file of the settings is not there, the operator is told', async () => {
    expect(() => openReleaseSource(options({ allowInsecure: false }))).toThrow(
      code('insecure-update-url', 'ConfigError'),
    );
    expect(() => openReleaseSource(options({ mirrors: ['http://user:pass@host/'] }))).toThrow(
      code('bad-update-url', 'ConfigError'),
    );
    expect(() => openReleaseSource(options({ caFile: '/nowhere' }))).toThrow(
      code('bad-certificate', 'ConfigError'),
    );
    expect(() => openReleaseSource(options({ rootFile: '/nowhere' }))).toThrow(
      code('bad-release-root', 'ConfigError'),
    );
  });

  test('when a bundle shows an older state than the server has shown, it is refused', async () => {
    const bundle = join(folder, 'kiosk.tar');
    await writeBundle(repository.folder, { name: 'kiosk', version: '1.0.0' }, bundle);
    const fromBundle = () => sourceOf(bundleSupply(bundle), options()).resolve(ORDER, never);
    await fromBundle();
    await repository.publish();
    await resolve();
    await expect(fromBundle()).rejects.toThrow(code('metadata-rollback', 'TransientError'));
    writeFileSync(bundle, '');
    await expect(fromBundle()).rejects.toThrow(expect.objectContaining({ name: 'TransientError' }));
  });
});
