import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { HUB_APPS, type HubApp } from '@bowline/messages/hub/apps';
import { afterThisFile, temporaryFolder } from '@bowline/testing';
import { describe, expect, test } from 'vitest';

/** Numbers that no system hands out by itself (Debian policy, 9.2.2: 60000 to 64999 are reserved). */
const GATEWAY = 64_801;
const COLLECTOR = 64_802;
const STRANGER = 64_803;
const groupOf = (app: HubApp): number => (app === 'telemetry-collector' ? COLLECTOR : 0);

const isRoot = process.getuid?.() === 0;

/** The folders as deploy/tmpfiles.conf makes them on a device. */
function makeFolders(): { hub: string; sockets: string } {
  const root = temporaryFolder();
  chmodSync(root, 0o755);
  const hub = join(root, 'hub');
  mkdirSync(hub, { mode: 0o700 });
  chownSync(hub, GATEWAY, GATEWAY);
  for (const app of HUB_APPS) {
    const folder = join(root, 'sockets', app);
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o750);
    chownSync(folder, GATEWAY, groupOf(app));
  }
  return { hub, sockets: join(root, 'sockets') };
}

function run(script: string, args: string[], uid: number) {
  const file = join(import.meta.dirname, 'testing', script);
  const child = spawn(process.execPath, [file, String(uid), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  afterThisFile(() => void child.kill('SIGKILL'));
  return child;
}

async function hubOf(user: number, { hub, sockets }: ReturnType<typeof makeFolders>) {
  const child = run('hub-of-users-process.ts', [hub, sockets], user);
  await once(child.stdout, 'data');
  return child;
}

/** What `uid` gets when it connects as `app` and trusts `owner`. */
async function connectAs(app: HubApp, uid: number, sockets: string, owner = GATEWAY): Promise<string> {
  const child = run('app-of-user-process.ts', [join(sockets, app), app, String(owner)], uid);
  return (await text(child.stdout)).trim();
}

describe.runIf(isRoot)('a hub whose apps have users of their own', () => {
  test('when an app connects, its own socket takes it, and those of the others are closed to it', async () => {
    const folders = makeFolders();
    await hubOf(GATEWAY, folders);

    expect(await connectAs('telemetry-collector', COLLECTOR, folders.sockets)).toBe('registered');
    for (const app of HUB_APPS.filter((each) => each !== 'telemetry-collector')) {
      expect(await connectAs(app, COLLECTOR, folders.sockets)).toMatch(/EACCES/);
    }
    expect(await connectAs('command-executor', 0, folders.sockets)).toBe('registered');
  });

  test('when any other user tries, every socket is closed to him', async () => {
    const folders = makeFolders();
    await hubOf(GATEWAY, folders);
    for (const app of HUB_APPS) expect(await connectAs(app, STRANGER, folders.sockets)).toMatch(/EACCES/);
  });

  test('when the hub belongs to somebody else than the gateway, the app does not speak to it', async () => {
    const folders = makeFolders();
    chownSync(join(folders.sockets, 'telemetry-collector'), STRANGER, COLLECTOR);
    const answer = await connectAs('telemetry-collector', COLLECTOR, folders.sockets);
    expect(answer).toMatch(/hub-folder-unsafe.*belongs to user 64803, expected 64801 or 0/);
  });

  test('when a folder lets more people in than its group, the gateway does not open its socket there', async () => {
    const folders = makeFolders();
    chmodSync(join(folders.sockets, 'cli'), 0o755);
    const child = run('hub-of-users-process.ts', [folders.hub, folders.sockets], GATEWAY);
    expect(await text(child.stdout)).toMatch(/hub-folder-unsafe.*755 allows more than 750/);
    expect(() => statSync(join(folders.sockets, 'cli/cli.sock'))).toThrow('ENOENT');
  });
});
