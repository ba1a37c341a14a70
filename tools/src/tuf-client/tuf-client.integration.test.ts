import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { changeRoot, publish } from '@bowline/releases/publisher';
import {
  createTestRepository,
  serveFolder,
  type TestRepository,
  type TestServer,
} from '@bowline/releases/testing';
import { startProcess, temporaryFolder } from '@bowline/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WORKSPACE } from '../test/run.ts';

const CLIENT = join(WORKSPACE, 'tools/tuf-client/tuf-client');

let repository: TestRepository;
let server: TestServer;
let folder: string;
beforeEach(async () => {
  repository = await createTestRepository(temporaryFolder());
  await repository.release({ a: '1' });
  server = await serveFolder(repository.folder);
  folder = temporaryFolder();
  for (const name of ['metadata', 'targets']) mkdirSync(join(folder, name));
  await run('init', join(repository.folder, 'metadata/1.root.json'));
});
afterEach(() => server.close());

/** Its exit code. */
async function run(command: string, ...args: string[]): Promise<number | null> {
  const places = ['--metadata-dir', join(folder, 'metadata'), '--metadata-url', `${server.url}metadata`];
  const targets = [
    '--target-name',
    'kiosk/1.0.0.json',
    '--target-base-url',
    `${server.url}targets`,
    '--target-dir',
    join(folder, 'targets'),
  ];
  const child = startProcess(CLIENT, [
    ...places,
    ...(command === 'download' ? targets : []),
    command,
    ...args,
  ]);
  return (await child.exited).code;
}
const held = (role: string) => readFileSync(join(folder, 'metadata', `${role}.json`), 'utf8');
const served = (name: string) => readFileSync(join(repository.folder, 'metadata', name), 'utf8');

test('when it looks and downloads, its folders hold what was verified, byte for byte, and nothing is fetched twice', async () => {
  expect(await run('refresh')).toBe(0);
  expect(readdirSync(join(folder, 'metadata')).toSorted()).toEqual([
    'root.json',
    'snapshot.json',
    'targets.json',
    'timestamp.json',
  ]);
  expect([held('targets'), held('timestamp')]).toEqual([served('2.targets.json'), served('timestamp.json')]);
  expect(await run('download')).toBe(0);
  expect(readdirSync(join(folder, 'targets'))).toEqual(['kiosk%2F1.0.0.json']);
  server.requests.length = 0;
  expect(await run('download')).toBe(0);
  expect(server.requests.filter(({ path }) => path.startsWith('targets/'))).toEqual([]);
});

test('when a look fails late, what was verified before it is kept; a damaged file is fetched again', async () => {
  const { folder: top, all } = repository;
  await run('refresh');
  await changeRoot(top, (roles) => roles, all, Date.now());
  await publish(top, all, Date.now());
  const good = served('timestamp.json');
  writeFileSync(join(top, 'metadata/timestamp.json'), '{}');
  expect(await run('refresh')).toBe(1);
  expect(held('root')).toBe(served('2.root.json'));
  writeFileSync(join(top, 'metadata/timestamp.json'), good);
  truncateSync(join(folder, 'metadata/targets.json'), 20);
  expect(await run('refresh')).toBe(0);
  expect([held('targets'), held('timestamp')]).toEqual([served('2.targets.json'), good]);
});
