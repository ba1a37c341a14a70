import { existsSync, mkdirSync, readFileSync, watch } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { describe, expect, it } from 'vitest';
import { startTestServer } from './testing/test-server.ts';

const MAIN = join(import.meta.dirname, 'main.ts');
const restoring = (folder: string, stateDir: string): TestProcess =>
  startProcess(process.execPath, [MAIN, 'restore', folder, `--stateDir=${stateDir}`]);

/** A server with a device, its backup, and a device more since. */
async function backedUp() {
  const server = await startTestServer({ backup: { keep: 7, rootKey: true } });
  await server.device('before');
  const { body } = await server.api('POST', '/v1/server/backups');
  await server.device('since');
  await server.stop();
  return { server, folder: String(body['folder']) };
}

/** Starts a restore and kills it as soon as a file is there. */
async function killedAt(folder: string, stateDir: string, file: string): Promise<void> {
  const place = dirname(join(stateDir, file));
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const seen: string[] = [];
  const watching = watch(place, (_, name) => seen.push(String(name)));
  const command = restoring(folder, stateDir);
  await waitFor(() => seen.includes(basename(file)), { everyMs: 1, what: file });
  await command.kill('SIGKILL');
  watching.close();
}

const devicesOf = (body: Record<string, unknown>) =>
  (body['devices'] as { deviceId: string }[]).map(({ deviceId }) => deviceId).toSorted();

/** Moments of a restore, by what is there from then on. */
const MOMENTS = [
  ['the copy of the store is being made', 'store/next.mdb'],
  ['the store that was there is kept', 'store/replaced.mdb'],
  ['the folder is between two states', 'restore-unfinished'],
  ['its first key is there', 'operator-token'],
  ['the last of its state is there', 'trust.json'],
] as const;

describe('a restore that is killed in its middle', () => {
  it.each(MOMENTS.filter(([, file]) => file !== 'store/replaced.mdb'))(
    'when %s on a new machine, no server makes keys of its own there, and doing it again makes all of it',
    async (_, file) => {
      const { server, folder } = await backedUp();
      const stateDir = join(temporaryFolder(), 'state');
      await killedAt(folder, stateDir, file);
      const unfinished = existsSync(join(stateDir, 'restore-unfinished'));
      const attempt = unfinished
        ? await startTestServer({ stateDir }).catch((error: { code?: string }) => error.code)
        : 'restore-unfinished';
      expect(attempt).toBe('restore-unfinished');

      expect((await restoring(folder, stateDir).exited).code).toBe(0);
      for (const name of ['operator-token', 'trust.json', 'root-key.pem'])
        expect(
          readFileSync(join(stateDir, name)).equals(readFileSync(join(server.stateDir, name))),
          name,
        ).toBe(true);
      const restored = await startTestServer({ stateDir });
      expect(devicesOf((await restored.api('GET', '/v1/devices')).body)).toEqual(['before']);
    },
  );

  it.each(MOMENTS.slice(0, 3))(
    'when %s on the server’s own folder, either state is there or it says so, and what it replaces is not lost',
    async (_, file) => {
      const { server, folder } = await backedUp();
      const { stateDir } = server;
      await killedAt(folder, stateDir, file);
      const started = await startTestServer({ stateDir }).catch((error: unknown) => error);
      const found =
        started instanceof Error
          ? started
          : devicesOf((await (started as typeof server).api('GET', '/v1/devices')).body);
      expect([
        ['before', 'since'],
        ['before'],
        expect.objectContaining({ code: 'restore-unfinished' }),
      ]).toContainEqual(found);
      if (!(started instanceof Error)) await (started as typeof server).stop();

      expect((await restoring(folder, stateDir).exited).code).toBe(0);
      expect(existsSync(join(stateDir, 'store/replaced.mdb'))).toBe(true);
      expect(existsSync(join(stateDir, 'restore-unfinished'))).toBe(false);
      const restored = await startTestServer({ stateDir });
      expect(devicesOf((await restored.api('GET', '/v1/devices')).body)).toEqual(['before']);
    },
  );
});
