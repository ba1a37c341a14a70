import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';

const WORKSPACE = resolve(import.meta.dirname, '../../..');

/** Reads text keys back in a range, as fleet-server does. */
const READS_KEYS = `
import { open } from 'lmdb';
const db = open({ path: process.argv[2], noSubdir: true, encoding: 'binary' });
for (const key of ['device/a', 'device/b', 'order/ä/1']) await db.put(key, Buffer.from('x'));
const keys = [...db.getRange({ start: 'device/' })].map(({ key }) => key);
const again = [...db.getRange({ start: 'device/b' })].map(({ key }) => key);
await db.close();
process.stdout.write(JSON.stringify([keys, again]));
`;

test('when an app with lmdb is bundled, it reads its text keys back as they were written', () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'src'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(join(folder, 'src/main.ts'), READS_KEYS);
  symlinkSync(join(WORKSPACE, 'node_modules'), join(folder, 'node_modules'));
  execFileSync(process.execPath, [join(import.meta.dirname, 'bundle-app.ts')], { cwd: folder });

  const read = execFileSync(process.execPath, [join(folder, 'dist/main.js'), join(folder, 'data.mdb')]);

  expect(JSON.parse(read.toString())).toEqual([
    ['device/a', 'device/b', 'order/ä/1'],
    ['device/b', 'order/ä/1'],
  ]);
});
