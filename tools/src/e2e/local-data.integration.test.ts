import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProcess, temporaryFolder, waitFor } from '@bowline/testing';
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
    const { configDir, runDir, hubFolder, pm2Home } = fleet.layout;
    const file = join(configDir, 'telemetry-collector.json');
    const config = JSON.parse(readFileSync(file, 'utf8')) as { history?: object; series?: object };
    const uploads = { own: { kind: 'logs', app: 'telemetry-collector' } };
    const history = { ...config.history, uploads };
    // What the apps tell of themselves is read soon after they have registered, not half a minute later.
    const series = { ...config.series, bowline: { intervalMs: 1000 } };
    writeFileSync(file, JSON.stringify({ ...config, history, series }));
    home = temporaryFolder();
    writeFileSync(join(home, 'run.json'), JSON.stringify({ runDir, hubFolder, pm2Home }));
    await fleet.startDevice();
    await fleet.untilOnline();
    socket = join(fleet.layout.runDir, 'ingest/ingest.sock');
  }, 60_000);

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

  test('when a log is uploaded, an operator sees that it came and what is in it', async () => {
    const fleetOf = (...args: string[]) =>
      bowline(['fleet', 'history', 'uploads', ...args], fleet.operatorEnv);
    expect(await fleetOf(DEVICE_ID)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('uploaded no logs'),
    });
    const unknown = await bowline(['--home', home, 'history', 'upload', 'nothing']);
    expect([unknown.code !== 0, unknown.stderr]).toEqual([
      true,
      expect.stringContaining('no job "upload-nothing"'),
    ]);
    const begun = await bowline(['--home', home, 'history', 'upload', 'own']);
    expect(begun).toMatchObject({ code: 0, stdout: expect.stringContaining('has begun') });
    const uploads = await waitFor(async () => {
      const listed = JSON.parse((await fleetOf(DEVICE_ID, '--json')).stdout) as {
        uploads: { uploadId: string; complete: boolean }[];
      };
      return listed.uploads.some(({ complete }) => complete) && listed.uploads;
    });
    expect(uploads).toMatchObject([{ job: 'own', kind: 'logs', app: 'telemetry-collector', complete: true }]);
    expect((await fleetOf(DEVICE_ID)).stdout).toMatch(/own +logs telemetry-collector +.* 1 *\n/);
    const id = uploads[0]?.uploadId ?? '';
    const shown = await fleetOf(DEVICE_ID, id);
    expect(shown.code).toBe(0);
    expect(JSON.parse(shown.stdout.split('\n')[0] ?? '')).toMatchObject({ app: 'telemetry-collector' });
    const output = join(home, 'own.ndjson');
    expect((await fleetOf(DEVICE_ID, id, '-o', output)).stdout).toMatch(/^1 parts, \d+ items → /);
    expect(readFileSync(output, 'utf8')).toBe(shown.stdout);
    const none = await fleetOf(DEVICE_ID, '01980000-0000-7000-8000-000000000001');
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
