import { temporaryFolder } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createTestRepository,
  never,
  serveFolder,
  testDevice,
  type TestDevice,
  type TestRepository,
  type TestServer,
} from '../testing/index.ts';

let repository: TestRepository;
let server: TestServer;
let device: TestDevice;
beforeEach(async () => {
  repository = await createTestRepository(temporaryFolder());
  for (const version of ['1.2.0', '1.10.0', '2.0.0-rc.1'])
    await repository.add({ version }, { version, channel: version.includes('rc') ? 'beta' : 'stable' });
  await repository.add({ other: 'x' }, { name: 'kiosk-2', version: '9.0.0' });
  await repository.add({ files: 'x' }, { version: '3.0.0', kind: 'module:script' });
  await repository.publish();
  server = await serveFolder(repository.folder);
  device = testDevice({ urls: [server.url], folder: temporaryFolder(), repository: repository.folder });
});
afterEach(async () => {
  device.close();
  await server.close();
});
const newest = async (channels: string[], above: string, kind = 'app') =>
  (await device.source.newest([{ name: 'kiosk', kind, channels, above }], never)).map(
    ({ version }) => version,
  );

describe('newest', () => {
  test('when something newer is published, it is the newest of its name, kind and channel', async () => {
    expect(await newest(['stable'], '1.0.0')).toEqual(['1.10.0']);
    expect(await newest(['stable', 'beta'], '1.0.0')).toEqual(['2.0.0-rc.1']);
    expect(await newest(['stable'], '1.0.0', 'module:script')).toEqual(['3.0.0']);
    expect(await newest(['stable'], '1.10.0')).toEqual([]);
  });

  test('when the metadata is forged, nothing is news', async () => {
    server.behave = (request, response) => {
      if (!request.url?.includes('timestamp')) return false;
      response.end('{"signed":{},"signatures":[]}');
      return true;
    };
    await expect(newest(['stable'], '1.0.0')).rejects.toThrow(
      expect.objectContaining({ code: 'metadata-untrusted' }),
    );
  });
});
