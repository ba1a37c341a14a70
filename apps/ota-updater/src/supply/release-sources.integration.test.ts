import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeBundle } from '@bowline/releases/publisher';
import { createTestRepository, type TestRepository } from '@bowline/releases/testing';
import { systemClock } from '@bowline/runtime';
import { temporaryFolder } from '@bowline/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { openReleaseSources, type ReleaseSources } from './release-sources.ts';

const ORDER = { aud: 'd1', jti: 'j', exp: 1, channel: 'stable', name: 'kiosk', version: '1.0.0' };
const DAY_MS = 24 * 3_600_000;
const never = new AbortController().signal;
const error = (name: string, code: string) => expect.objectContaining({ name, code });

let repository: TestRepository;
let file: string;
let folder: string;
let nowMs: number;
let sources: ReleaseSources;
beforeEach(async () => {
  repository = await createTestRepository(temporaryFolder());
  await repository.release({ text: 'x'.repeat(50_000) });
  folder = temporaryFolder();
  file = join(folder, 'kiosk.tar');
  await writeBundle(repository.folder, ORDER, file, 'an.order.jws');
  nowMs = Date.now();
  const root = readFileSync(join(repository.folder, 'metadata/1.root.json'));
  const supply = {
    proxy: 'link',
    noProxy: [],
    allowInsecure: false,
    parallel: 1,
    attempts: 1,
    stallMs: 1,
    minBytesPerSecond: 1,
  };
  sources = openReleaseSources({
    config: {
      stateDir: join(folder, 'state'),
      releasesDir: join(folder, 'releases'),
      supply: { ...supply, mirrors: [], reserveBytes: 0 },
    },
    gate: { releaseRootSha256: () => createHash('sha256').update(root).digest('hex') },
    serverClock: { nowMs: () => nowMs },
    installed: () => undefined,
    way: { own: () => undefined },
    clock: systemClock,
  });
});
const resolve = () => sources.bundle(file).resolve(ORDER, never);

describe('a bundle that was brought', () => {
  test('when it is whole, it has a release and the order; without an update server that is all there is', async () => {
    expect(await resolve()).toMatchObject({ name: 'kiosk', version: '1.0.0' });
    expect(await sources.bundle(file).order(never)).toBe('an.order.jws');
    await expect(sources.server.resolve(ORDER, never)).rejects.toEqual(
      error('RejectedError', 'no-update-server'),
    );
  });

  test('when it is no good, that is final; when the stick is out, it is waited for', async () => {
    const whole = readFileSync(file);
    truncateSync(file, 20_000);
    await expect(resolve()).rejects.toEqual(error('RejectedError', 'bundle-broken'));
    truncateSync(file, whole.indexOf('blobs/'));
    await expect(resolve()).rejects.toThrow(
      expect.objectContaining({ message: expect.stringContaining('lacks blobs/') }),
    );
    writeFileSync(file, 'no tar at all');
    await expect(resolve()).rejects.toEqual(error('RejectedError', 'bundle-broken'));
    writeFileSync(file, whole);
    renameSync(file, `${file}.away`);
    await expect(resolve()).rejects.toEqual(error('TransientError', 'bundle-broken'));
    renameSync(`${file}.away`, file);
    const plan = await resolve();
    rmSync(file);
    await expect(sources.bundle(file).fetch(plan, () => {}, never)).rejects.toEqual(
      error('TransientError', 'bundle-broken'),
    );
  });

  test('when its metadata has expired, it is refused for good, without a network', async () => {
    nowMs += 40 * DAY_MS;
    await expect(resolve()).rejects.toEqual(error('RejectedError', 'metadata-expired'));
  });
});
