import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { beforeEach, expect, test } from 'vitest';
import { adoptLauncher } from './launcher.ts';

let offered: string;
let inUse: string;
const text = (file: string) => readFileSync(file, 'utf8');
beforeEach(() => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'lib'));
  offered = join(folder, 'launch');
  inUse = join(folder, 'lib', 'launch');
  writeFileSync(offered, 'echo new\n');
  writeFileSync(inUse, 'echo old\n', { mode: 0o755 });
});

test('when a launcher would run, it takes the place of the one in use, which stays beside it', async () => {
  expect(await adoptLauncher(offered, inUse)).toBe(true);
  expect(text(inUse)).toBe('echo new\n');
  expect(statSync(inUse).mode & 0o777).toBe(0o755);
  expect(text(`${inUse}.previous`)).toBe('echo old\n');
  expect(await adoptLauncher(offered, inUse)).toBe(false);
  writeFileSync(offered, 'echo newer\n');
  expect(await adoptLauncher(offered, inUse)).toBe(true);
  expect(text(`${inUse}.previous`)).toBe('echo new\n');
  expect(readdirSync(join(inUse, '..')).toSorted()).toEqual(['launch', 'launch.previous']);
});

test.each([
  ['cannot be read to its end', 'echo new\nif true; then\n', /./],
  ['says that something is missing', 'echo there is no cat >&2; exit 1', /there is no cat/],
])('when a launcher %s, the one in use stays', async (_, content, why) => {
  writeFileSync(offered, content);
  const adopting = adoptLauncher(offered, inUse);
  await expect(adopting).rejects.toMatchObject({ code: 'launcher-broken' });
  await expect(adopting).rejects.toThrow(why);
  expect(readdirSync(join(inUse, '..'))).toEqual(['launch']);
  expect(text(inUse)).toBe('echo old\n');
});

test('when there is no launcher in use, none is put there', async () => {
  expect(await adoptLauncher(offered, join(inUse, '..', 'other'))).toBe(false);
});
