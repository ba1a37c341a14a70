import { appendFileSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { startProcess, waitFor } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { DEVICE_ID } from '../demo/layout.ts';
import { WORKSPACE } from '../test/run.ts';
import { bowline } from './plain-server.ts';
import { TestFleet } from './test-fleet.ts';

/** With all limits of the ecosystem file: the socket is opened under Node's permission model. */
describe("the users' own data", () => {
  let fleet: TestFleet;
  let socket: string;
  let home: string;

  beforeAll(async () => {
    fleet = await TestFleet.make();
    await fleet.startServer();
    await fleet.prepareDevice();
    const uploads = {
      own: { kind: 'logs', app: 'telemetry-collector' },
      // Every second.
      kiosk: { kind: 'logs', app: 'kiosk', cron: '* * * * * *', jitterMs: 0 },
    };
    fleet.configure('telemetry-collector', ({ history, series }) => ({
      history: { ...history, uploads },
      // What the apps tell of themselves is read soon after they have registered, not half a minute later.
      series: { ...series, bowline: { intervalMs: 1000 } },
    }));
    home = fleet.layout.home;
    await fleet.startDevice();
    await fleet.untilOnline();
    socket = join(fleet.layout.runDir, 'ingest/ingest.sock');
  });

  const send = (...args: string[]) => bowline(['send', '--socket', socket, ...args]);
  const arrived = (series: string) =>
    waitFor(
      async () => {
        const samples = await fleet.api.samples(DEVICE_ID, series);
        return samples.length > 0 && samples;
      },
      { what: series },
    );

  test('when somebody sends a temperature, the server has it', async () => {
    const sent = await send('temperature=21.5', '--unit', 'Cel');
    expect(sent).toEqual({ code: 0, stdout: '1 sample accepted.\n', stderr: '' });
    expect(await arrived('temperature')).toMatchObject([{ value: 21.5 }]);
  });

  test('when the device runs, it tells how each of its processes fares', async () => {
    for (const app of [
      'ws-gateway',
      'command-executor',
      'telemetry-collector',
      'ota-updater',
      'ssh-broker',
    ]) {
      const [memory] = await arrived(`process.memory.usage:${app}`);
      expect(memory?.value).toBeGreaterThan(10_000_000);
    }
    expect(await arrived('bowline.link.state')).not.toEqual([]);
  });

  test('when it is to be durable, it is stored, whatever the type of the value', async () => {
    const sent = await send('--durable', '--json', 'door=open', 'pump=true');
    expect(JSON.parse(sent.stdout)).toEqual({ accepted: 2, durable: true });
    expect(await arrived('door')).toMatchObject([{ value: 'open' }]);
    expect(await arrived('pump')).toMatchObject([{ value: true }]);
  });

  test('when a program prints JSON lines into it, all of them arrive', async () => {
    const main = join(WORKSPACE, 'apps/cli/dist/main.js');
    const program =
      'for n in $(seq 1 1200); do echo "{\\"series\\":\\"piped\\",\\"value\\":$n,\\"at\\":$((1750000000000 + n))}"; done';
    const piped = startProcess('sh', [
      '-c',
      `(${program}) | '${process.execPath}' '${main}' send - --socket '${socket}'`,
    ]);
    expect((await piped.exited).code).toBe(0);
    expect(piped.stdout()).toBe('1200 samples accepted.\n');
    await waitFor(async () => (await fleet.api.samples(DEVICE_ID, 'piped')).length === 1200);
  });

  interface Upload {
    uploadId: string;
    job: string;
    complete: boolean;
  }
  const uploads = (...args: string[]) =>
    bowline(['fleet', 'history', 'uploads', DEVICE_ID, ...args], fleet.operatorEnv);
  /** Those of a job that have come whole, newest first. */
  const uploadsOf = async (job: string) =>
    (JSON.parse((await uploads('--json')).stdout) as { uploads: Upload[] }).uploads.filter(
      (upload) => upload.job === job && upload.complete,
    );

  test('when logs are uploaded, on demand or by themselves, an operator is shown each, and each line once', async () => {
    expect(await uploads()).toMatchObject({ code: 0, stdout: expect.stringContaining('uploaded no logs') });
    const upload = (job: string) => bowline(['--home', home, 'history', 'upload', job]);
    expect((await upload('nothing')).stderr).toContain('no job "upload-nothing"');
    expect(await upload('own')).toMatchObject({ code: 0, stdout: expect.stringContaining('has begun') });

    const log = join(fleet.layout.logDir, 'kiosk.log');
    const write = (...numbers: number[]) =>
      appendFileSync(log, numbers.map((n) => `{"time":"${new Date().toISOString()}","n":${n}}\n`).join(''));
    /** All that have come, once there are so many lines in them. */
    const untilLines = (count: number) =>
      waitFor(
        async () => {
          const all = await uploadsOf('kiosk');
          let lines: string[] = [];
          for (const { uploadId } of all) {
            const output = join(home, 'lines.ndjson');
            expect((await uploads(uploadId, '-o', output)).stdout).toMatch(/^1 parts, \d items → /);
            const text = readFileSync(output, 'utf8');
            expect((await uploads(uploadId)).stdout).toBe(text);
            lines = [...(text.match(/"n":\d/g) ?? []), ...lines];
          }
          return lines.length >= count && { all, lines };
        },
        { what: `${count} lines` },
      );
    write(1, 2);
    const [first] = (await untilLines(2)).all;
    write(3);
    renameSync(log, `${log}.1`);
    write(4);
    const { all, lines } = await untilLines(4);
    expect(lines).toEqual(['"n":1', '"n":2', '"n":3', '"n":4']);
    expect(all.at(-1)).toEqual(first);

    const [own] = await waitFor(async () => {
      const found = await uploadsOf('own');
      return found.length > 0 && found;
    });
    const table = await uploads();
    expect(table.stdout).toMatch(/^upload +job +what +from +to +parts\n/);
    expect(table.stdout).toMatch(new RegExp(`^${first?.uploadId} +kiosk +logs kiosk +20.* 1$`, 'm'));
    expect(table.stdout).toMatch(new RegExp(`^${own?.uploadId} +own +logs telemetry-collector +.* 1$`, 'm'));
    const none = await uploads('01980000-0000-7000-8000-000000000001');
    expect([none.code !== 0, none.stderr]).toEqual([true, expect.stringContaining('no such upload')]);
  });

  test('when an event is sent twice under one key, it is one', async () => {
    const first = await send('--event', 'door.opened', '--severity', 'warning', '--key', 'k', 'side=left');
    const second = await send('--event', 'door.opened', '--severity', 'warning', '--key', 'k', 'side=left');
    expect(first.stdout).toMatch(/^Stored as event [0-9a-f-]{36}\.\n$/);
    expect(second.stdout).toBe(first.stdout);
  });

  test.each([
    ['the name is bad', ['my sensor=1'], 2, /"series" must begin with a letter or digit/],
    ['there is no value', ['temperature'], 2, /Write NAME=VALUE/],
    ['there is nothing', [], 2, /What is to be sent\?/],
    ['nobody listens', ['a=1', '--socket', '/tmp/nobody.sock'], 4, /nothing answers on \/tmp\/nobody.sock/],
  ])('when %s, it says so and what to do', async (_, args, code, message) => {
    const ended = await send(...args);
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    expect(ended.stderr).toMatch(message);
  });
});
