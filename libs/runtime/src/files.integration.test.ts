import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readFileIfPresent, readJsonIfPresent, writeFileDurably } from './files.ts';

const folder = mkdtempSync(join(tmpdir(), 'bl-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('writeFileDurably', () => {
  it('when it replaces a file, the new content is there alone, private, with nothing left beside it', () => {
    const file = join(folder, 'deep/er/state.json');
    expect(readFileIfPresent(file)).toBeUndefined();
    writeFileDurably(file, 'old');
    writeFileDurably(file, 'new');
    expect(readFileIfPresent(file)).toBe('new');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'deep/er'))).toEqual(['state.json']);
  });
});

describe('readJsonIfPresent', () => {
  it('when the file is absent or cut off, there is no value; what cannot be read for another reason is an error', () => {
    const file = join(folder, 'value.json');
    expect(readJsonIfPresent(file)).toBeUndefined();
    writeFileDurably(file, '{"key":1');
    expect(readJsonIfPresent(file)).toBeUndefined();
    writeFileDurably(file, '{"key":1}');
    expect(readJsonIfPresent(file)).toEqual({ key: 1 });
    expect(() => readJsonIfPresent(folder)).toThrow('EISDIR');
  });
});
