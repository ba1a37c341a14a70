import { execFileSync } from 'node:child_process';
import { statSync, watch, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { expect, test } from 'vitest';
import { OverrideFile } from './override-file.ts';

/** Only root can give a file to another group. */
const READER = userInfo().uid === 0 ? 'nobody' : userInfo().username;
const gidOf = (user: string) => Number(execFileSync('id', ['-g', user], { encoding: 'utf8' }));

function device() {
  const configDir = temporaryFolder();
  for (const app of ['ws-gateway', 'ota-updater'])
    writeFileSync(join(configDir, `${app}.json`), '{}', { mode: 0o644 });
  return { runDir: '/r', hubFolder: '/h', pm2Home: '/p', configDir, hubOwner: READER };
}

test("when the gateway's override is written, its user may read it and nobody else but its owner, whatever the umask", () => {
  const file = new OverrideFile('ws-gateway', device());
  const umask = process.umask(0o077);
  try {
    for (const text of ['{"a":1}', '{"a":2}']) {
      file.write(text);
      const { mode, gid } = statSync(file.path);
      expect([mode & 0o777, gid]).toEqual([0o640, gidOf(READER)]);
      expect(file.text()).toBe(text);
    }
  } finally {
    process.umask(umask);
  }
  file.write(undefined);
  expect(file.text()).toBeUndefined();
});

test('when it is taken away again, that is made durable, too', async () => {
  const installation = device();
  const file = new OverrideFile('ws-gateway', installation);
  file.write('{}');
  const names: (string | null)[] = [];
  const watcher = watch(installation.configDir, (_, name) => names.push(name));
  try {
    file.write(undefined);
    const name = 'ws-gateway.local.json';
    await waitFor(() => names.includes(name), { what: 'the removal' });
    const isSynced = () => names.slice(names.indexOf(name)).some((each) => each?.startsWith('.sync-'));
    await waitFor(isSynced, { what: 'the sync of the folder' });
  } finally {
    watcher.close();
  }
});

test("when another app's override is written, it may be read as the file beside it", () => {
  const file = new OverrideFile('ota-updater', device());
  file.write('{}');
  expect(statSync(file.path).mode & 0o777).toBe(0o644);
});
