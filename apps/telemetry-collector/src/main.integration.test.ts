import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sample } from '@bowline/messages';
import { AGENT_VERSION } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import { startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { call } from './testing/call.ts';
import {
  openTestGateway,
  TestStore,
  type TestGateway,
  type TestGatewayOptions,
} from './testing/test-gateway.ts';
import { silent } from './testing/running-collector.ts';

const MAIN = join(import.meta.dirname, 'main.ts');
const AT = 1_790_000_000_000;

let folder: string;
let hubFolder: string;
let store: TestStore;
let gateway: TestGateway | undefined;
let children: TestProcess[];

beforeEach(() => {
  folder = temporaryFolder();
  hubFolder = join(folder, 'hub');
  store = new TestStore();
  gateway = undefined;
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()));
  await gateway?.close();
});

const open = (options: Partial<TestGatewayOptions> = {}) => openTestGateway(hubFolder, { store, ...options });
const environment = () => ({
  PATH: process.env['PATH'],
  BOWLINE_TELEMETRY_COLLECTOR__STATE_DIR: join(folder, 'state'),
  BOWLINE_TELEMETRY_COLLECTOR__HUB_FOLDER: hubFolder,
});
function startCollector(...flags: string[]): TestProcess {
  const child = startProcess(process.execPath, [MAIN, ...flags], { env: environment() });
  children.push(child);
  return child;
}
/** Only the CPU, as fast as the test asks for. */
const cpuEvery = (intervalMs: number, commitMs: number) => [
  `--series.cpu.intervalMs=${intervalMs}`,
  `--telemetry.commitMs=${commitMs}`,
  ...silent('cpu'),
];
const socketPath = () => join(folder, 'in/s');
/** Samples nothing by itself: what it has is what was handed in. */
async function startSilent(...flags: string[]): Promise<TestProcess> {
  const child = startCollector(
    ...silent(),
    `--ingest.socket=${socketPath()}`,
    '--telemetry.commitMs=0',
    ...flags,
  );
  await child.output(/may hand in samples/);
  return child;
}
/** A sample of now, accepted when it resolves. */
async function handInNow(): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const sent = { path: '/v1/samples', headers, body: '{"series":"level","value":1}' };
  expect((await call({ socketPath: socketPath() }, sent)).status).toBe(202);
}
/** Samples of one series, accepted when it resolves. */
async function handIn(from: number, count: number): Promise<void> {
  const samples = Array.from({ length: count }, (_, index) => {
    const value = from + index;
    return { series: 'level', value, at: AT + 1000 * value };
  });
  const headers = { 'content-type': 'application/json' };
  const sent = { path: '/v1/samples', headers, body: JSON.stringify(samples) };
  expect((await call({ socketPath: socketPath() }, sent)).status).toBe(202);
}
/** Stops the collector in good order and reads what it says of all its samples. */
async function totalsAtTheEnd(child: TestProcess) {
  expect(await child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  const line =
    child
      .stdout()
      .split('\n')
      .findLast((each) => each.includes('stopped sampling')) ?? '{}';
  const { sampled, givenUp, kept, lost } = JSON.parse(line) as Record<
    'sampled' | 'givenUp' | 'kept' | 'lost',
    number
  >;
  return { sampled, givenUp, kept, lost };
}
const named = (samples: readonly Sample[], series: string) =>
  samples.filter((sample) => sample.series === series);

describe('telemetry-collector as a process', () => {
  test('when it runs with its defaults, real samples of every kind arrive and are plausible', async () => {
    const before = Date.now();
    gateway = await open();
    startCollector();
    // Each is read by itself: which comes first, and whether with the others, nobody says.
    const first = async (series: string) => {
      const sample = await waitFor(() => named(store.samples, series)[0], { what: series });
      expect(sample.at).toBeGreaterThanOrEqual(before);
      expect(sample.at).toBeLessThanOrEqual(Date.now());
      return sample;
    };
    const share = async (series: string) => {
      const { unit, value } = await first(series);
      expect(unit).toBe('1');
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThanOrEqual(1);
    };
    await share('system.cpu.utilization');
    await share('system.memory.utilization');
    await share('system.filesystem.utilization:/');
    expect(await first('system.memory.usage')).toMatchObject({ unit: 'By' });
    expect(await first('system.cpu.load_average.1m')).toMatchObject({ unit: '{thread}' });
    expect(await first('system.uptime')).toMatchObject({ unit: 's' });
    const interfaces = store.samples.filter(({ series }) =>
      /^system\.network\.io:.+:(receive|transmit)$/.test(series),
    );
    expect(interfaces.length % 2).toBe(0);
    expect(gateway.peers()).toMatchObject([
      { app: 'telemetry-collector', version: AGENT_VERSION, orderTypes: ['historyRequest'] },
    ]);
  });

  test('when the gateway is away, the app is ready all the same', async () => {
    const child = fork(MAIN, { env: environment(), stdio: 'ignore' });
    try {
      expect(await once(child, 'message')).toEqual(['ready', undefined]);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('when the clock agrees with the time of the server, samples are good, else they carry boot id and monotonic time', async () => {
    const flags = [...cpuEvery(50, 0), `--clockSynchronisedFile=${join(folder, 'none')}`];
    gateway = await open({ serverTime: () => Date.now() });
    const first = startCollector(...flags);
    await waitFor(() => store.samples.some(({ quality }) => quality === 'good'));
    await first.kill('SIGTERM');
    await gateway.close();

    // In the same boot it knows the time from before.
    store = new TestStore();
    gateway = await open({ serverTime: () => Date.now() - 3_600_000 });
    const second = startCollector(...flags);
    expect((await waitFor(() => store.samples[0])).quality).toBe('estimated');
    await second.kill('SIGTERM');

    store = new TestStore();
    rmSync(join(folder, 'state'), { recursive: true });
    await gateway.close();
    gateway = await open({ serverTime: () => Date.now() - 3_600_000 });
    startCollector(...flags);
    const sample = await waitFor(() => store.samples[0]);
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    expect(sample).toMatchObject({ quality: 'unsynchronised', bootId });
    const upMs = Number.parseFloat(readFileSync('/proc/uptime', 'utf8')) * 1000;
    expect(sample.monoMs).toBeLessThanOrEqual(upMs + 1000);
    expect(sample.monoMs).toBeGreaterThan(0);
  });

  test('when the clock becomes right while samples wait, they are corrected, and the server is told how', async () => {
    const marker = join(folder, 'synchronized');
    gateway = await open();
    const child = await startSilent('--telemetry.commitMs=3600000', `--clockSynchronisedFile=${marker}`);
    await handInNow();
    const first = await waitFor(() => store.samples[0]);
    expect(first.quality).toBe('unsynchronised');
    // From here on the window is an hour: what comes now waits.
    await handInNow();
    writeFileSync(marker, '');
    await handInNow();
    const event = await waitFor(() => store.events[0]);
    const { bootId, offsetMs } = event.data as { bootId: string; offsetMs: number };
    expect([event.kind, bootId]).toEqual(['clock-synchronised', first.bootId]);
    expect(Math.abs((first.monoMs ?? 0) + offsetMs - first.at)).toBeLessThan(1000);
    expect(store.samples).toHaveLength(1);
    await child.kill('SIGTERM');
    expect(store.samples.slice(1).map(({ quality }) => quality)).toEqual(['estimated', 'good']);
  });

  test('when systemd has synchronised the clock, samples are good without a server', async () => {
    const marker = join(folder, 'synchronized');
    writeFileSync(marker, '');
    gateway = await open();
    startCollector(...cpuEvery(50, 0), `--clockSynchronisedFile=${marker}`);
    expect(await waitFor(() => store.samples[0])).toMatchObject({ quality: 'good' });
  });

  test('when it gets SIGTERM, what is in memory is handed over and it ends with exit code 0', async () => {
    gateway = await open();
    const child = await startSilent('--telemetry.commitMs=3600000');
    await handIn(0, 1);
    await waitFor(() => store.samples.length === 1);
    // From here on the window is an hour: nothing more comes until the end.
    await handIn(1, 20);
    expect(store.samples).toHaveLength(1);
    expect(await totalsAtTheEnd(child)).toEqual({ sampled: 21, givenUp: 0, kept: 0, lost: 0 });
    expect(store.samples.map(({ value }) => value)).toEqual(Array.from({ length: 21 }, (_, value) => value));
  });

  test('when it gets SIGTERM without a gateway, it ends in time with exit code 0, and the next start hands over what was left', async () => {
    let [sampled, givenUp] = [0, 0];
    for (let life = 0; life < 2; life += 1) {
      const child = await startSilent('--stopGraceMs=50', '--telemetry.bufferSamples=16');
      await handIn(20 * life, 20);
      const totals = await totalsAtTheEnd(child);
      expect([totals.sampled, totals.kept + totals.givenUp, totals.lost]).toEqual([20, 20, 0]);
      sampled += totals.sampled;
      givenUp += totals.givenUp;
    }
    expect(givenUp).toBeGreaterThan(0);
    gateway = await open();
    const third = startCollector(...silent());
    await third.output(/left over is handed over/);
    expect(store.samples.length).toBe(sampled - givenUp);
    expect(store.gaps.reduce((sum, { count }) => sum + count, 0)).toBe(givenUp);
    expect(await third.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    const fourth = startCollector(...cpuEvery(20, 0));
    await waitFor(() => store.samples.length > sampled - givenUp);
    expect(fourth.stdout()).not.toContain('left over');
  });

  test('when it is killed before the gateway knows that the clock is right, the next life tells it, once', async () => {
    const marker = join(folder, 'synchronized');
    writeFileSync(marker, '');
    const flags = [...cpuEvery(20, 0), `--clockSynchronisedFile=${marker}`];
    const clockFile = join(folder, 'state/clock.json');
    const first = startCollector(...flags);
    await waitFor(() => existsSync(clockFile) && readFileSync(clockFile, 'utf8').includes('true'));
    await first.kill('SIGKILL');
    gateway = await open();
    const second = startCollector(...flags);
    expect(await waitFor(() => store.events[0])).toMatchObject({ kind: 'clock-synchronised' });
    await waitFor(() => !readFileSync(clockFile, 'utf8').includes('toTellMs'));
    await second.kill('SIGKILL');
    const count = store.samples.length;
    startCollector(...flags);
    await waitFor(() => store.samples.length > count + 5);
    expect(store.events).toHaveLength(1);
  });

  test('when the gateway restarts, no sample is missing and none comes twice', async () => {
    gateway = await open();
    const child = startCollector(...cpuEvery(20, 20));
    for (let restarts = 0; restarts < 3; restarts += 1) {
      const count = store.samples.length;
      await waitFor(() => store.samples.length > count + 10);
      await gateway.close();
      gateway = await open();
      await waitFor(() => gateway?.peers().length, { what: 'the collector to be back' });
    }
    expect(await totalsAtTheEnd(child)).toEqual({
      sampled: store.samples.length,
      givenUp: 0,
      kept: 0,
      lost: 0,
    });
    expect(new Set(store.messageIds).size).toBe(store.messageIds.length);
  });

  test('when the gateway was away for long, the buffer thins and the gap counts every sample that is missing', async () => {
    const child = await startSilent('--telemetry.bufferSamples=16');
    // Many times the buffer.
    for (let from = 0; from < 500; from += 50) await handIn(from, 50);
    gateway = await open();
    await waitFor(() => store.gaps.length, { what: 'a gap' });
    const { sampled, givenUp, lost } = await totalsAtTheEnd(child);
    expect(store.gaps[0]).toMatchObject({
      lane: 'telemetry',
      reason: 'thinned',
      series: 'level',
    });
    const missing = store.gaps.reduce((sum, { count }) => sum + count, 0);
    expect(missing).toBeGreaterThan(0);
    expect({ missing, arrived: store.samples.length, lost }).toEqual({
      missing: givenUp,
      arrived: sampled - givenUp,
      lost: 0,
    });
  });

  test('when the disk of the gateway is full, samples are kept until it has room', async () => {
    let full = true;
    let refusals = 0;
    gateway = await open({
      accept: () => {
        if (!full) return;
        refusals += 1;
        throw new RejectedError('disk-full', 'the disk is full');
      },
    });
    const child = startCollector(...cpuEvery(50, 0));
    await waitFor(() => refusals > 0);
    await child.output(/disk-full/);
    full = false;
    const [first] = await waitFor(() => store.samples.length > 0 && store.samples);
    expect(first?.series).toBe('system.cpu.utilization');
    expect(store.gaps).toEqual([]);
  });

  test('when it is killed, the next one goes on with its own samples', async () => {
    gateway = await open();
    const first = startCollector(...cpuEvery(20, 20));
    await waitFor(() => store.samples.length > 5);
    await first.kill('SIGKILL');
    const count = store.samples.length;
    startCollector(...cpuEvery(20, 20));
    await waitFor(() => store.samples.length > count + 5);
  });
});
