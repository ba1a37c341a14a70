import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestRepository, testDevice } from '@bowline/releases/testing';
import { temporaryFolder } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { startTestServer } from './testing/test-server.ts';

describe('GET /releases/', () => {
  test('when a repository is served, a device installs from it, and drafts and names that lead out are not there', async () => {
    const folder = temporaryFolder();
    const releasesDir = join(folder, 'releases');
    const server = await startTestServer({ releasesDir });
    const repository = await createTestRepository(releasesDir);
    await repository.release({ 'bin/run': { run: 'x' }, data: Buffer.alloc(300_000, 7) });
    writeFileSync(join(folder, 'secret'), 'secret');
    mkdirSync(join(releasesDir, 'other'));
    writeFileSync(join(releasesDir, 'other/file'), 'other');
    const device = testDevice({
      urls: [`${server.url}/releases/`],
      folder: join(folder, 'device'),
      repository: releasesDir,
    });
    try {
      const { progress } = await device.bring(join(folder, 'device/out'));
      expect(progress.bytes).toBe(300_001);
      const at = (path: string, headers = {}) => fetch(`${server.url}/releases/${path}`, { headers });
      const timestamp = await at('metadata/timestamp.json');
      expect([timestamp.status, timestamp.headers.get('cache-control')]).toEqual([200, 'no-cache']);
      const root = await at('metadata/1.root.json', { range: 'bytes=10-' });
      expect([root.status, root.headers.get('cache-control')]).toEqual([
        206,
        expect.stringContaining('immutable'),
      ]);
      for (const path of [
        '',
        'metadata',
        '.draft/lock',
        '.draft/root.json',
        'other/file',
        '..%2fsecret',
        'metadata/..%2f..%2fsecret',
        'metadata/none',
      ])
        expect([path, (await at(path)).status]).toEqual([
          path,
          expect.toSatisfy((status: number) => status === 404 || status === 403),
        ]);
    } finally {
      device.close();
      await server.stop();
    }
  });

  test('when no folder is named, nothing is served', async () => {
    const server = await startTestServer();
    expect((await fetch(`${server.url}/releases/metadata/timestamp.json`)).status).toBe(404);
    await server.stop();
  });
});
