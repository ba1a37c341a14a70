import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serveFolder, testDevice } from '@bowline/releases/testing';
import { temporaryFolder } from '@bowline/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { bowline } from './testing/run-bowline.ts';

let folder: string;
let app: string;
const run = (...args: string[]) =>
  bowline(args, { cwd: folder, env: { BOWLINE_KEYS: join(folder, 'keys') } });
const release = (...args: string[]) => run('release', ...args);
beforeEach(() => {
  folder = temporaryFolder();
  app = join(folder, 'app');
  mkdirSync(join(app, 'bin'), { recursive: true });
  writeFileSync(join(app, 'bin/hello'), '#!/bin/sh\necho hello\n', { mode: 0o755 });
  writeFileSync(join(app, 'text'), 'one');
});
const build = (version: string, ...more: string[]) =>
  release('build', 'app', '--repo', 'repo', '--name', 'hello', '--release', version, ...more);

/** What a device makes of the repository. */
async function installs(version: string): Promise<string> {
  const server = await serveFolder(join(folder, 'repo'));
  const device = testDevice({
    urls: [server.url],
    folder: join(folder, `device-${version}`),
    repository: join(folder, 'repo'),
  });
  try {
    const to = join(folder, `out-${version}`);
    await device.bring(to, { name: 'hello', version });
    return readFileSync(join(to, 'text'), 'utf8');
  } finally {
    device.close();
    await server.close();
  }
}

describe('bowline release', () => {
  test('when one key does everything, three commands bring a folder to a device, and two more its next version', async () => {
    await run('keys', 'new', 'all');
    expect((await release('init', 'repo', '--key', 'all', '--sign', 'all')).code).toBe(0);
    expect((await build('1.0.0', '--sign', 'all')).stdout).toContain(
      'hello 1.0.0: 2 files, 24 bytes, digest ',
    );
    const published = await release('publish', 'repo', '--sign', 'all');
    expect(published).toMatchObject({ code: 0, stderr: '' });
    expect(published.stdout).toContain('hello 1.0.0');
    expect(await installs('1.0.0')).toBe('one');
    writeFileSync(join(app, 'text'), 'two');
    await build(
      '1.1.0',
      '--sign',
      'all',
      '--probe',
      'bin/hello',
      '--probe',
      '--check',
      '--min-secure-version',
      '1.0.0',
    );
    await release('publish', 'repo', '--sign', 'all');
    expect(await installs('1.1.0')).toBe('two');
    const { stdout } = await release('show', 'repo', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      releases: [{ release: 'hello 1.0.0' }, { release: 'hello 1.1.0' }],
      unpublished: [],
    });
    await release('withdraw', 'repo', 'hello', '1.1.0', '--sign', 'all');
    await release('publish', 'repo', '--sign', 'all');
    await expect(installs('1.1.0')).rejects.toThrow(expect.objectContaining({ code: 'release-unknown' }));
  });

  test('when two people must sign, the second may do so elsewhere, and nothing is published before', async () => {
    for (const name of ['root', 'ann', 'bob', 'online']) await run('keys', 'new', name);
    writeFileSync(join(folder, 'bob.json'), (await run('keys', 'show', 'bob')).stdout);
    const keys = [
      '--root',
      'root',
      '--targets',
      'ann',
      '--targets',
      'bob.json',
      '--targets-threshold',
      '2',
      '--online',
      'online',
    ];
    const made = await release('init', 'repo', ...keys, '--sign', 'root', '--sign', 'ann');
    expect(made.stdout).toContain('targets 1 has 1 of 2 signatures');
    await build('1.0.0', '--sign', 'ann');
    expect(await release('publish', 'repo', '--sign', 'online')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('1 of 2'),
    });
    await release('sign', 'repo', '--sign', 'bob');
    expect((await release('publish', 'repo', '--sign', 'online')).code).toBe(0);
    expect(await installs('1.0.0')).toBe('one');
    await run('keys', 'new', 'online2');
    await release('rotate', 'repo', 'online', 'online', 'online2', '--sign', 'root');
    expect((await release('publish', 'repo', '--sign', 'online')).code).toBe(2);
    expect((await release('publish', 'repo', '--sign', 'online2')).code).toBe(0);
  });

  test('when a program guards the key, it signs, and if it fails that is said', async () => {
    const program = join(folder, 'guard');
    writeFileSync(
      program,
      `#!${process.execPath}
const { generateKeyPairSync, createPrivateKey, createPublicKey, sign } = require('node:crypto');
const fs = require('node:fs');
const file = ${JSON.stringify(join(folder, 'guarded.pem'))};
if (!fs.existsSync(file)) fs.writeFileSync(file, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
const key = createPrivateKey(fs.readFileSync(file));
if (process.argv[2] === 'public') console.log(JSON.stringify(createPublicKey(key).export({ format: 'jwk' })));
else if (fs.existsSync(${JSON.stringify(join(folder, 'locked'))})) { console.error('token is locked'); process.exit(3); }
else console.log(sign(undefined, fs.readFileSync(0), key).toString('base64url'));
`,
      { mode: 0o755 },
    );
    const guard = `exec:${program}`;
    expect(await release('init', 'repo', '--key', guard, '--sign', guard)).toMatchObject({
      code: 0,
      stderr: '',
    });
    await build('1.0.0', '--sign', guard);
    expect(await release('publish', 'repo', '--sign', guard)).toMatchObject({ code: 0 });
    expect(await installs('1.0.0')).toBe('one');
    writeFileSync(join(folder, 'locked'), '');
    expect((await build('1.0.1', '--sign', guard)).stderr).toContain('token is locked');
    expect((await build('1.0.1', '--sign', `exec:${app}/bin/hello`)).stderr).toContain(
      'does not print an Ed25519 key',
    );
  });

  test('when something is wrong with what was asked, it says what to do', async () => {
    await run('keys', 'new', 'all');
    expect(await build('1.0.0', '--sign', 'all')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('bowline release init'),
    });
    expect((await release('init', 'repo')).code).toBe(2);
    await release('init', 'repo', '--key', 'all', '--sign', 'all');
    expect((await release('init', 'repo', '--key', 'all')).stderr).toContain('holds a repository already');
    expect((await build('1.0', '--sign', 'all')).stderr).toContain('version');
  });
});

describe('bowline fleet trust set-release-root', () => {
  test('when the first root is named, the next bundle carries its hash; anything else is refused', async () => {
    for (const name of ['all', 'root']) await run('keys', 'new', name);
    await release('init', 'repo', '--key', 'all', '--sign', 'all');
    await release('publish', 'repo', '--sign', 'all');
    await run('fleet', 'trust', 'init', 'root', '--draft', 'trust.json');
    const set = (file: string) =>
      run('fleet', 'trust', 'set-release-root', file, '--draft', 'trust.json', '--sign', 'root');
    expect((await set('repo/metadata/1.root.json')).code).toBe(0);
    const { stdout } = await run('fleet', 'trust', 'show', 'trust.json', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ tufRootSha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect((await set('repo/metadata/timestamp.json')).stderr).toContain('not the first root');
  });
});
