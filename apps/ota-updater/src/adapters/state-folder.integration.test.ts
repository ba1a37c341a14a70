import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { checkStateFolder } from './state-folder.ts';

const code = (name: string) => expect.objectContaining({ name: 'ConfigError', code: name });

describe('checkStateFolder', () => {
  test('when the folder is not there, it is made for us alone', () => {
    const folder = join(temporaryFolder(), 'a', 'state');
    checkStateFolder(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(() => checkStateFolder(folder)).not.toThrow();
  });

  test('when others may write it, it is refused', () => {
    const folder = join(temporaryFolder(), 'state');
    mkdirSync(folder);
    chmodSync(folder, 0o775);
    expect(() => checkStateFolder(folder)).toThrow(code('state-folder-unsafe'));
  });

  test('when it is a link to a folder, it is refused', () => {
    const folder = join(temporaryFolder(), 'state');
    symlinkSync(temporaryFolder(), folder);
    expect(() => checkStateFolder(folder)).toThrow(code('state-folder-unsafe'));
  });

  test('when it cannot be made, the error says so', () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    expect(() => checkStateFolder(join(file, 'state'))).toThrow(code('state-folder'));
  });
});
