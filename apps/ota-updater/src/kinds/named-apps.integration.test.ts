import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { namedApps } from './named-apps.ts';
import { ECOSYSTEM } from './start-file.ts';

test('when the file of a release leaves a timer behind and writes to its output, its apps are known and nobody waits for it', async () => {
  const tree = temporaryFolder();
  writeFileSync(
    join(tree, ECOSYSTEM),
    `setInterval(() => console.log('still here'), 10);
    console.log('here');
    process.exitCode = 1;
    module.exports = { apps: [{ name: 'pump' }, { script: 'valve.js' }] };`,
  );
  expect(await namedApps(tree, new AbortController().signal)).toEqual(['pump', 'valve']);
});
