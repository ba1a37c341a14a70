import { appendFileSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '@bowline/testing';
import { expect, test } from 'vitest';
import { BareDevice } from './bare-device.ts';
import { PlainServer } from './plain-server.ts';

test('when a device uploads its logs by itself, bowline fleet history uploads lists them and prints each line once', async () => {
  const server = await PlainServer.start();
  const device = new BareDevice({ url: server.url, token: await server.token('--device', 'kiosk-1') });
  const uploads = async (...args: string[]) => server.fleet('history', 'uploads', 'kiosk-1', ...args);
  device.startGateway();
  await device.untilOnline();
  expect((await uploads()).stdout).toContain('kiosk-1 has uploaded no logs');

  const logDir = join(device.folder, 'logs');
  mkdirSync(logDir);
  const log = join(logDir, 'kiosk.log');
  const write = (...numbers: number[]) =>
    numbers.forEach((n) => appendFileSync(log, `{"time":"${new Date().toISOString()}","n":${n}}\n`));
  write(1, 2);
  device.startCollector({
    logDir,
    history: {
      reserveBytes: 0,
      // Every second.
      uploads: { kiosk: { kind: 'logs', app: 'kiosk', cron: '* * * * * *', jitterMs: 0 } },
    },
  });
  interface Upload {
    uploadId: string;
    complete: boolean;
  }
  const file = join(device.folder, 'lines.ndjson');
  /** All that have come, newest first, and their lines, oldest first; once there are so many of these. */
  const untilLines = async (count: number) =>
    waitFor(
      async () => {
        const all = (JSON.parse((await uploads('--json')).stdout) as { uploads: Upload[] }).uploads;
        const lines: string[] = [];
        for (const { uploadId, complete } of all.toReversed()) {
          if (!complete) return false;
          expect((await uploads(uploadId, '-o', file)).stdout).toMatch(/^1 parts, \d items → /);
          lines.push(...(readFileSync(file, 'utf8').match(/"n":\d/g) ?? []));
        }
        return lines.length >= count && { all, lines };
      },
      { what: `${count} lines`, timeoutMs: 40_000 },
    );
  const [first] = (await untilLines(2)).all;
  write(3);
  renameSync(log, `${log}.1`);
  write(4);
  const { all, lines } = await untilLines(4);
  expect(lines).toEqual(['"n":1', '"n":2', '"n":3', '"n":4']);
  expect(all.at(-1)).toEqual(first);

  const table = await uploads();
  expect(table.code).toBe(0);
  expect(table.stdout).toMatch(/^upload +job +what +from +to +parts\n/);
  expect(table.stdout).toMatch(new RegExp(`^${first?.uploadId} +kiosk +logs kiosk +20.* 1$`, 'm'));
  const printed = await uploads(first?.uploadId ?? '');
  expect([printed.code, printed.stdout.match(/"n":\d/g)]).toEqual([0, ['"n":1', '"n":2']]);

  const unknown = await uploads('none');
  expect(unknown.code).not.toBe(0);
  expect(unknown.stderr).toContain('no such upload');
  expect((await server.fleet('history', 'uploads', 'nobody')).code).not.toBe(0);
});
