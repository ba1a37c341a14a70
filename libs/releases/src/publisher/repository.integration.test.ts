import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { blobPath, manifestPath } from '../layout.ts';
import {
  createSigner,
  createTestRepository,
  type TestRepository,
  type TestTree,
} from '../testing/test-repository.ts';
import {
  changeRoot,
  initRepository,
  openThresholds,
  publish,
  readStanding,
  rolesOf,
  signDrafts,
  withdrawRelease,
  type RoleKeys,
} from './index.ts';

const NOW = Date.UTC(2026, 10, 25);
const refused = expect.objectContaining({ code: 'repository-refused' });

let repository: TestRepository;
beforeEach(async () => {
  repository = await createTestRepository(temporaryFolder(), { now: () => NOW });
});
const versions = () => {
  const { root, targets, snapshot, timestamp } = readStanding(repository.folder);
  return [root, targets, snapshot, timestamp].map((each) => each?.signed.version);
};

describe('a repository of releases', () => {
  test('when a folder is released, each content lies under its hash and the manifest under that of the release', async () => {
    const { folder } = repository;
    const { digest, manifest } = await repository.release({
      'bin/run': { run: '#!/bin/sh\n' },
      'lib/a.txt': 'same',
      'lib/b.txt': 'same',
      'lib/link': { link: '../bin/run' },
      'var/empty': null,
    });
    expect(manifest.files).toEqual([
      { path: 'bin/run', size: 10, sha256: sha256('#!/bin/sh\n'), executable: true },
      { path: 'lib/a.txt', size: 4, sha256: sha256('same') },
      { path: 'lib/b.txt', size: 4, sha256: sha256('same') },
    ]);
    expect(manifest.links).toEqual([{ path: 'lib/link', target: '../bin/run' }]);
    expect(manifest.folders).toEqual(['var/empty']);
    expect(readFileSync(join(folder, blobPath(sha256('same'))), 'utf8')).toBe('same');
    const text = readFileSync(join(folder, manifestPath('kiosk', '1.0.0', digest)), 'utf8');
    expect(sha256(text)).toBe(digest);
    expect(readStanding(folder).targets?.signed.targets['kiosk/1.0.0.json']).toMatchObject({
      hashes: { sha256: digest },
    });
    expect(versions()).toEqual([1, 2, 2, 2]);
    for (const name of readdirSync(join(folder, 'metadata')))
      expect(statSync(join(folder, 'metadata', name)).mode & 0o777).toBe(0o644);
  });

  test.each([
    { what: 'case', tree: { 'doc/README': '1', 'doc/readme': '2' } },
    { what: 'the case of a folder', tree: { 'Doc/a': '1', 'doc/b': '2' } },
    { what: 'full case folding', tree: { straße: '1', STRASSE: '2' } },
    { what: 'their Unicode form', tree: { 'caf\u00e9': '1', 'cafe\u0301': null } },
  ])('when names differ only in $what, the folder is refused, and both are named', async ({ tree }) => {
    await expect(repository.add(tree as TestTree)).rejects.toThrow(
      expect.objectContaining({
        code: 'not-releasable',
        message: expect.stringMatching(/: \S+ and \S+ differ only in case/) as string,
      }),
    );
    expect(readStanding(repository.folder).draft.targets).toBeUndefined();
    await repository.add({ 'doc/README': '1', 'Doc.txt': '2', 'other/readme': '3' });
  });

  test('when nothing changed, publishing renews snapshot and timestamp alone', async () => {
    await repository.publish();
    expect(versions()).toEqual([1, 1, 2, 2]);
  });

  test('when a version is published with other content, it is refused; the same again is no change', async () => {
    const first = await repository.release({ a: '1' });
    expect(await repository.release({ a: '1' })).toEqual(first);
    await expect(repository.release({ a: '2' })).rejects.toThrow(refused);
  });

  test('when a release is withdrawn, the next targets do not know it', async () => {
    await repository.release({ a: '1' });
    await withdrawRelease(repository.folder, 'kiosk', '1.0.0', repository.all, NOW);
    await repository.publish();
    expect(readStanding(repository.folder).targets?.signed.targets).toEqual({});
    await expect(withdrawRelease(repository.folder, 'kiosk', '1.0.0', repository.all, NOW)).rejects.toThrow(
      refused,
    );
  });

  test('when targets need two signatures, they may come one after the other, and one does not publish', async () => {
    const folder = temporaryFolder();
    const [root, a, b, online] = [createSigner(), createSigner(), createSigner(), createSigner()];
    const one = (signer: typeof root) => ({ keys: [signer.jwk], threshold: 1 });
    const roles: RoleKeys = {
      root: one(root),
      targets: { keys: [a.jwk, b.jwk], threshold: 2 },
      snapshot: one(online),
      timestamp: one(online),
    };
    await initRepository(folder, roles, [root, a], NOW);
    await expect(publish(folder, [online], NOW)).rejects.toThrow(/targets 1 has 1 of 2/);
    await signDrafts(folder, [a]);
    await expect(publish(folder, [online], NOW)).rejects.toThrow(/targets 1 has 1 of 2/);
    expect(existsSync(join(folder, 'metadata'))).toBe(false);
    expect(await signDrafts(folder, [b])).toMatchObject([
      { role: 'root' },
      { role: 'targets', signed: 2, needed: 2 },
    ]);
    await publish(folder, [online], NOW);
    expect(openThresholds(folder)).toEqual([]);
  });

  test('when a root key is replaced, the next root needs the old key and the new one', async () => {
    const { folder, signers, all } = repository;
    const next = createSigner();
    const replace = (roles: RoleKeys): RoleKeys => ({ ...roles, root: { keys: [next.jwk], threshold: 1 } });
    await changeRoot(folder, replace, [next], NOW);
    await expect(publish(folder, all.slice(1), NOW)).rejects.toThrow(/root 2 has 0 of 1/);
    await publish(folder, all, NOW);
    expect(versions()).toEqual([2, 1, 2, 2]);
    const { root } = readStanding(folder);
    expect(root && rolesOf(root).root.keys).toEqual([next.jwk]);
    expect(Object.keys(root?.signatures ?? {})).toHaveLength(2);
    await changeRoot(folder, (roles) => roles, [signers.root], NOW);
    await expect(publish(folder, [...all], NOW)).rejects.toThrow(/root 3 has 0 of 1/);
  });

  test('when the key of targets is replaced, the releases are signed anew with the root', async () => {
    const { folder, all } = repository;
    await repository.release({ a: '1' });
    const next = createSigner();
    await changeRoot(
      folder,
      (roles) => ({ ...roles, targets: { keys: [next.jwk], threshold: 1 } }),
      all,
      NOW,
    );
    await expect(publish(folder, all, NOW)).rejects.toThrow(/targets 3 has 0 of 1/);
    await publish(folder, [...all, next], NOW);
    expect(Object.keys(readStanding(folder).targets?.signed.targets ?? {})).toEqual(['kiosk/1.0.0.json']);
  });

  test('when a threshold cannot be met, or there is a repository already, it is refused', async () => {
    const { folder, all } = repository;
    const tooMany = (roles: RoleKeys): RoleKeys => ({ ...roles, root: { ...roles.root, threshold: 2 } });
    await expect(changeRoot(folder, tooMany, all, NOW)).rejects.toThrow(refused);
    const roles = rolesOf(readStanding(folder).root as never);
    await expect(initRepository(folder, roles, all, NOW)).rejects.toThrow(refused);
  });

  test('when a file of the repository is damaged, it says which', async () => {
    writeFileSync(join(repository.folder, 'metadata/1.targets.json'), '{"signed":');
    await expect(repository.release({ a: '1' })).rejects.toThrow(/1\.targets\.json is damaged/);
  });
});

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
