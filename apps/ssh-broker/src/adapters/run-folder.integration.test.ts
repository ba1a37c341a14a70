import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { wipeLeftovers } from './run-folder.ts';

const code = (name: string) => expect.objectContaining({ name: 'ConfigError', code: name });

describe('wipeLeftovers', () => {
  test('when the folder is not there, it is made, and nobody else may list or write it', async () => {
    const folder = join(temporaryFolder(), 'ssh', 'run');
    expect(await wipeLeftovers(folder)).toMatchObject({ folder, leftovers: [] });
    expect(statSync(folder).mode & 0o777).toBe(0o711);
  });

  test('when sessions left something behind, it is removed, and nothing else is', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'session-1', 'deep'), { recursive: true });
    writeFileSync(join(folder, 'session-1', 'deep', 'key'), 'secret');
    writeFileSync(join(folder, 'session-2'), '');
    writeFileSync(join(folder, 'other'), '');
    expect((await wipeLeftovers(folder)).leftovers.toSorted()).toEqual(['1', '2']);
    expect(readdirSync(folder)).toEqual(['other']);
  });

  test('when a leftover is a link, what it points to stays', async () => {
    const elsewhere = temporaryFolder();
    writeFileSync(join(elsewhere, 'keep'), '');
    const folder = temporaryFolder();
    symlinkSync(elsewhere, join(folder, 'session-evil'));
    await wipeLeftovers(folder);
    expect(readdirSync(folder)).toEqual([]);
    expect(existsSync(join(elsewhere, 'keep'))).toBe(true);
  });

  test('when the folder is open to others or a link, nothing in it is touched', async () => {
    const open = temporaryFolder();
    mkdirSync(join(open, 'session-1'));
    chmodSync(open, 0o755);
    await expect(wipeLeftovers(open)).rejects.toEqual(code('run-folder-unsafe'));
    expect(readdirSync(open)).toEqual(['session-1']);
    const link = join(temporaryFolder(), 'run');
    symlinkSync(temporaryFolder(), link);
    await expect(wipeLeftovers(link)).rejects.toEqual(code('run-folder-unsafe'));
  });

  test('when others may write a folder above it, it is refused, unless that is sticky; then sshd is not asked', async () => {
    const above = join(temporaryFolder(), 'above');
    mkdirSync(above);
    chmodSync(above, 0o777);
    await expect(wipeLeftovers(join(above, 'run'))).rejects.toEqual(code('run-folder-unsafe'));
    chmodSync(above, 0o1777);
    expect((await wipeLeftovers(join(above, 'run'))).strictModes).toBe(false);
  });

  test('when it cannot be made, the error says so', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    await expect(wipeLeftovers(join(file, 'run'))).rejects.toEqual(code('run-folder'));
  });
});
