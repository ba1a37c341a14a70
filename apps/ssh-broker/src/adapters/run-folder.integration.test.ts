import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { wipeLeftovers } from './run-folder.ts';

const code = (name: string) => expect.objectContaining({ name: 'ConfigError', code: name });

describe('wipeLeftovers', () => {
  test('when the folder is not there, it is made for us alone', () => {
    const folder = join(temporaryFolder(), 'ssh', 'run');
    expect(wipeLeftovers(folder)).toEqual([]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  test('when sessions left something behind, it is removed, and nothing else is', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'session-1', 'deep'), { recursive: true });
    writeFileSync(join(folder, 'session-1', 'deep', 'key'), 'secret');
    writeFileSync(join(folder, 'session-2'), '');
    writeFileSync(join(folder, 'other'), '');
    expect(wipeLeftovers(folder).toSorted()).toEqual(['session-1', 'session-2']);
    expect(readdirSync(folder)).toEqual(['other']);
  });

  test('when a leftover is a link, what it points to stays', () => {
    const elsewhere = temporaryFolder();
    writeFileSync(join(elsewhere, 'keep'), '');
    const folder = temporaryFolder();
    symlinkSync(elsewhere, join(folder, 'session-evil'));
    wipeLeftovers(folder);
    expect(readdirSync(folder)).toEqual([]);
    expect(existsSync(join(elsewhere, 'keep'))).toBe(true);
  });

  test('when the folder is open to others or a link, nothing in it is touched', () => {
    const open = temporaryFolder();
    mkdirSync(join(open, 'session-1'));
    chmodSync(open, 0o755);
    expect(() => wipeLeftovers(open)).toThrow(code('run-folder-unsafe'));
    expect(readdirSync(open)).toEqual(['session-1']);
    const link = join(temporaryFolder(), 'run');
    symlinkSync(temporaryFolder(), link);
    expect(() => wipeLeftovers(link)).toThrow(code('run-folder-unsafe'));
  });

  test('when it cannot be made, the error says so', () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    expect(() => wipeLeftovers(join(file, 'run'))).toThrow(code('run-folder'));
  });
});
