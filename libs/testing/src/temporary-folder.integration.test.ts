import { existsSync, statSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cleanUp } from './clean-up.ts';
import { temporaryFolder } from './temporary-folder.ts';

test('when two folders are made, they differ and only the owner may enter', () => {
  const [one, other] = [temporaryFolder(), temporaryFolder()];
  expect(one).not.toBe(other);
  expect(statSync(one).mode & 0o777).toBe(0o700);
});

test('when the file cleans up, the folder is gone with what is in it', async () => {
  const folder = temporaryFolder();
  writeFileSync(`${folder}/file`, '');
  expect(existsSync(`${folder}/file`)).toBe(true);
  await cleanUp();
  expect(existsSync(folder)).toBe(false);
});
