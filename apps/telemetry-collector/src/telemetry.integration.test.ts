import { join } from 'node:path';
import { connectHub, type HubClient } from '@bowline/ipc';
import type { Sample } from '@bowline/messages';
import { createLogger, loadConfig, ServerClock, systemClock } from '@bowline/runtime';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CollectorConfig } from './config.ts';
import { config as validateConfig } from './generated/config.js';
import { startTelemetry, type Telemetry } from './telemetry.ts';
import { call } from './testing/call.ts';
import { silent } from './testing/running-collector.ts';
import { openTestGateway, TestStore, type TestGateway } from './testing/test-gateway.ts';

const log = createLogger({ app: 'test', write: () => {} });

let folder: string;
let store: TestStore;
let gateway: TestGateway;
let client: HubClient;
let telemetry: Telemetry;
let history: Sample[];

const configOf = (...flags: string[]) => {
  const args = [`--stateDir=${folder}`, `--hubFolder=${join(folder, 'hub')}`, '--telemetry.commitMs=0'];
  return loadConfig<CollectorConfig>(validateConfig, {
    app: 'test',
    env: {},
    args: [...args, ...silent(), ...flags],
  }).config;
};
beforeEach(async () => {
  folder = temporaryFolder();
  store = new TestStore();
  history = [];
  gateway = await openTestGateway(join(folder, 'hub'), { store });
  client = connectHub({
    folder: join(folder, 'hub'),
    app: 'telemetry-collector',
    version: '0',
    orderTypes: [],
    log,
    clock: systemClock,
  });
  telemetry = await startTelemetry({
    config: configOf(),
    client,
    serverClock: new ServerClock(systemClock),
    sinks: [{ add: (samples) => void history.push(...samples) }],
    clock: systemClock,
    log,
  });
});
afterEach(async () => {
  await telemetry.stop(AbortSignal.timeout(1000));
  client.close();
  await gateway.close();
});
const seen = (series: string) => store.samples.filter((sample) => sample.series === series);

describe('reconfigure', () => {
  test('when a group is switched on, and off again, its samples come, and come no more', async () => {
    await telemetry.reconfigure(configOf('--series.load.intervalMs=20'));
    await waitFor(() => seen('system.cpu.load_average.1m').length > 2);
    await telemetry.reconfigure(configOf('--series.memory.intervalMs=20'));
    // Behind all that was read until then, however much of it waited.
    telemetry.accept([{ series: 'off', at: 1, value: 1 }]);
    await waitFor(() => seen('off').length > 0 && seen('system.memory.usage').length > 5);
    const off = store.samples.findIndex(({ series }) => series === 'off');
    const after = store.samples
      .slice(off)
      .filter(({ series }) => series.startsWith('system.cpu.load_average'));
    // One reading may have been under way.
    expect(after.length).toBeLessThanOrEqual(3);
    await telemetry.reconfigure(configOf());
    await waitFor(() => store.samples.length === history.length);
    expect(history).toEqual(store.samples);
  });

  test('when a rule changes, unit and dead band are the new ones at once', async () => {
    const memory = '--series.memory.intervalMs=20';
    await telemetry.reconfigure(configOf(memory));
    await waitFor(() => seen('system.memory.usage').length > 1);
    expect(seen('system.memory.usage')[0]?.unit).toBe('By');
    const rules = [
      { match: 'system.memory.usage', unit: 'MiBy' },
      { match: 'system.memory.limit', deadBand: 0 },
      { match: 'system.memory.utilization', enabled: false },
    ];
    await telemetry.reconfigure(configOf(memory, `--seriesRules=${JSON.stringify(rules)}`));
    await waitFor(() => seen('system.memory.usage').filter(({ unit }) => unit === 'MiBy').length > 3);
    const after = store.samples.slice(store.samples.findIndex(({ unit }) => unit === 'MiBy'));
    const count = (series: string) => after.filter((sample) => sample.series === series).length;
    expect([count('system.memory.limit'), count('system.memory.utilization')]).toEqual([1, 0]);
  });

  test('when listeners are switched on, they are there, and off, they are gone; limits hold at once', async () => {
    const socketPath = join(folder, 'in/s');
    const send = () =>
      call(
        { socketPath },
        {
          path: '/v1/samples',
          headers: { 'content-type': 'application/json' },
          body: '{"series":"a","value":1}',
        },
      );
    await telemetry.reconfigure(configOf(`--ingest.socket=${socketPath}`));
    expect((await send()).status).toBe(202);
    await telemetry.reconfigure(
      configOf(`--ingest.socket=${socketPath}`, '--ingest.samplesPerSecond=1', '--ingest.burstSamples=1'),
    );
    await waitFor(async () => (await send()).status === 429, { what: 'one too many' });
    await telemetry.reconfigure(configOf());
    await expect(send()).rejects.toThrow(/ENOENT|ECONNREFUSED/);
  });

  test('when a listener cannot be opened, that is said, and the rest of the configuration holds', async () => {
    const bad = configOf('--ingest.socket=/proc/nowhere/s', '--series.load.intervalMs=20');
    await expect(telemetry.reconfigure(bad)).rejects.toThrow(/cannot listen on \/proc\/nowhere\/s/);
    await waitFor(() => seen('system.cpu.load_average.1m').length > 0);
  });

  test('when the gateway tells its status, what this agent is like is sampled', async () => {
    await telemetry.reconfigure(configOf('--series.bowline.intervalMs=20'));
    await waitFor(() => seen('bowline.link.state').length > 0);
    expect(seen('bowline.link.state')[0]?.value).toBe('online');
  });
});
