import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { describe, expect, it } from 'vitest';
import {
  checkGroup,
  checkHubFolder,
  checkHubSocket,
  ownUid,
  prepareHubFolder,
  socketPath,
  userId,
} from './hub-folder.ts';
import { newHubFolder, registered, testClient, testHub } from './testing/real-hub.ts';

const unsafe = (pattern: RegExp) =>
  expect.objectContaining({
    name: 'ConfigError',
    code: 'hub-folder-unsafe',
    message: expect.stringMatching(pattern),
  });

describe('prepareHubFolder', () => {
  it('when it is absent, it is made with exactly the mode given, whatever the umask', () => {
    const root = temporaryFolder();
    const before = process.umask(0o077);
    try {
      prepareHubFolder(join(root, 'a', 'b'), 0o750);
    } finally {
      process.umask(before);
    }
    expect(statSync(join(root, 'a', 'b')).mode & 0o777).toBe(0o750);
  });

  it('when its mode allows more than it may, it is refused as it is', () => {
    const folder = join(temporaryFolder(), 'hub');
    mkdirSync(folder);
    chmodSync(folder, 0o750);
    expect(() => prepareHubFolder(folder, 0o700)).toThrow(unsafe(/750 allows more than 700/));
    expect(statSync(folder).mode & 0o777).toBe(0o750);
    prepareHubFolder(folder, 0o750);
    prepareHubFolder(folder, 0o770);
  });

  it('when it is a link or a file, it is refused', () => {
    const root = temporaryFolder();
    symlinkSync(root, join(root, 'link'));
    writeFileSync(join(root, 'file'), '');
    for (const name of ['link', 'file']) {
      expect(() => prepareHubFolder(join(root, name), 0o700)).toThrow(unsafe(/not a folder/));
    }
    expect(() => prepareHubFolder(join(root, 'file', 'hub'), 0o700)).toThrow(
      expect.objectContaining({ name: 'ConfigError', code: 'hub-folder-unusable' }),
    );
  });

  it('when it belongs to somebody else, it is refused', () => {
    const folder = temporaryFolder();
    const owners = [ownUid() + 1, ownUid() + 2];
    expect(() => checkHubFolder(folder, { owners, mode: 0o700 })).toThrow(unsafe(/belongs to user/));
    checkHubFolder(folder, { owners: [...owners, ownUid()], mode: 0o700 });
  });
});

describe('checkHubSocket', () => {
  const unsafeSocket = (pattern: RegExp) =>
    expect.objectContaining({
      name: 'ConfigError',
      code: 'hub-socket-unsafe',
      message: expect.stringMatching(pattern),
    });

  it('when it is a socket of the right user, it is taken; another kind of file and another user are not', async () => {
    const folder = temporaryFolder();
    const [path, link, file] = [join(folder, 'cli.sock'), join(folder, 'link'), join(folder, 'file')];
    const server = createServer().listen(path);
    await once(server, 'listening');
    symlinkSync(path, link);
    writeFileSync(file, '');
    try {
      checkHubSocket(path, [ownUid()]);
      expect(() => checkHubSocket(path, [ownUid() + 1])).toThrow(unsafeSocket(/belongs to user/));
      for (const other of [link, file])
        expect(() => checkHubSocket(other, [ownUid()])).toThrow(unsafeSocket(/not a socket/));
      checkHubSocket(join(folder, 'none'), [ownUid()]);
    } finally {
      server.close();
    }
  });

  it('when a link stands in place of the socket, the client does not follow it, and connects once it is gone', async () => {
    const [folder, elsewhere] = [newHubFolder(), newHubFolder()];
    await testHub(elsewhere);
    mkdirSync(folder, { mode: 0o700 });
    const path = socketPath(folder, 'command-executor');
    symlinkSync(socketPath(elsewhere, 'command-executor'), path);
    const client = testClient(folder);
    await waitFor(() => client.lastError?.code === 'hub-socket-unsafe' || client.connected);
    expect(client.connected).toBe(false);
    rmSync(path);
    await testHub(folder);
    await registered(client);
  });
});

describe('checkGroup', () => {
  it('when the folder has the group that it must have, by name or by number, it is taken; else it is refused', () => {
    const folder = temporaryFolder();
    const { gid } = statSync(folder);
    const groups = join(folder, 'group');
    writeFileSync(groups, `other:x:${gid + 1}:\nours:x:${gid}:somebody\n`);
    checkGroup(folder, 'ours', groups);
    checkGroup(folder, String(gid), groups);
    expect(() => checkGroup(folder, 'other', groups)).toThrow(unsafe(/its group is \d+, expected other/));
    expect(() => checkGroup(folder, 'nobody-has-this', groups)).toThrow(
      expect.objectContaining({ code: 'hub-owner-unknown' }),
    );
  });
});

describe('socketPath', () => {
  it('when it has more bytes than a unix socket takes, it is refused; the longest that fits is not', () => {
    const longest = `/${'x'.repeat(107 - '//cli.sock'.length)}`;
    expect(socketPath(longest, 'cli')).toHaveLength(107);
    const tooLong = expect.objectContaining({ name: 'ConfigError', code: 'socket-path-too-long' });
    expect(() => socketPath(`${longest}x`, 'cli')).toThrow(tooLong);
    expect(() => socketPath(`/${'é'.repeat(50)}`, 'cli')).toThrow(tooLong);
    expect(existsSync(longest)).toBe(false);
  });
});

describe('userId', () => {
  it('when it is a name, its number is the one in the file; a number is itself; a stranger is refused', () => {
    const file = join(temporaryFolder(), 'passwd');
    writeFileSync(file, 'root:x:0:0::/root:/bin/sh\nbowline-gateway:x:995:994::/:/bin/false\nodd:x::0::/:\n');
    expect(userId('bowline-gateway', file)).toBe(995);
    expect(userId('root', file)).toBe(0);
    expect(userId('64801', file)).toBe(64_801);
    for (const user of ['bowline', 'odd', '']) {
      expect(() => userId(user, file)).toThrow(
        expect.objectContaining({ name: 'ConfigError', code: 'hub-owner-unknown' }),
      );
    }
  });
});
