import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import StatsD from 'node-statsd';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { call, type Sent } from './testing/call.ts';
import { startCollector } from './testing/running-collector.ts';
import { openTestGateway, TestStore, type TestGateway } from './testing/test-gateway.ts';

let store: TestStore;
let gateway: TestGateway;
let collector: TestProcess | undefined;
let folder: string;

beforeEach(async () => {
  folder = temporaryFolder();
  store = new TestStore();
  gateway = await openTestGateway(join(folder, 'hub'), { store });
});
afterEach(async () => {
  await collector?.kill();
  await gateway.close();
});
const start = (...flags: string[]) => (collector = startCollector(folder, ...flags));
const valueOf = (series: string) => store.samples.find((sample) => sample.series === series)?.value;

describe('OTLP', () => {
  async function startOtlp(): Promise<number> {
    const [, port] = await start('--otlp.enabled=true', '--otlp.port=0').output(
      /127\.0\.0\.1:(\d+)\/v1\/metrics/,
    );
    return Number(port);
  }

  test('when an OpenTelemetry SDK exports to it, gauges, sums and histograms arrive', async () => {
    const port = await startOtlp();
    const exporter = new OTLPMetricExporter({ url: `http://127.0.0.1:${port}/v1/metrics` });
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({
      resource: resourceFromAttributes({ 'service.name': 'shop' }),
      readers: [reader],
    });
    const meter = provider.getMeter('test');
    meter.createCounter('orders', { unit: '{order}' }).add(3, { kind: 'web' });
    meter.createObservableGauge('temperature', { unit: 'Cel' }).addCallback((result) => result.observe(21.5));
    const durations = meter.createHistogram('duration', {
      unit: 'ms',
      advice: { explicitBucketBoundaries: [10, 100] },
    });
    for (const ms of [5, 50, 500]) durations.record(ms);
    await provider.forceFlush();
    await provider.shutdown();

    await waitFor(() => store.samples.length >= 8, { what: 'the metrics' });
    const of = (name: string) => valueOf(name);
    expect(of('orders:service.name:shop:kind:web')).toBe(3);
    expect(of('temperature:service.name:shop')).toBe(21.5);
    const duration = 'duration:service.name:shop';
    expect(
      ['count', 'sum', 'min', 'max', 'le:10', 'le:100'].map((part) => of(`${duration}:${part}`)),
    ).toEqual([3, 555, 5, 500, 1, 2]);
    const temperature = store.samples.find(({ series }) => series.startsWith('temperature'));
    expect(temperature?.unit).toBe('Cel');
    expect(Math.abs((temperature?.at ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  const JSON_TYPE = { 'content-type': 'application/json' };
  const body = '{"resourceMetrics":[]}';
  test.each<[string, Partial<Sent>, number]>([
    ['a web page of another origin', { headers: { ...JSON_TYPE, origin: 'https://evil.example' } }, 403],
    ['a web page opened from a file', { headers: { ...JSON_TYPE, origin: 'null' } }, 403],
    ['a page whose name was rebound', { headers: { ...JSON_TYPE, host: 'evil.example:4318' } }, 403],
    ['a form of a page', { headers: { 'content-type': 'text/plain' } }, 415],
    ['protobuf', { headers: { 'content-type': 'application/x-protobuf' } }, 415],
    ['traces', { headers: JSON_TYPE, path: '/v1/traces' }, 404],
    ['a preflight', { method: 'OPTIONS', body: '', headers: { origin: 'https://evil.example' } }, 405],
    ['an SDK', { headers: JSON_TYPE }, 200],
  ])('when %s sends, the answer is as it must be', async (_, sent, status) => {
    const port = await startOtlp();
    const answered = await call({ port }, { path: '/v1/metrics', body, ...sent });
    expect(answered.status).toBe(status);
    expect(answered.headers['access-control-allow-origin']).toBeUndefined();
  });

  test('when a point cannot be taken, the answer says so as OTLP wants it', async () => {
    const port = await startOtlp();
    const metrics = [{ name: 'a', gauge: { dataPoints: [{ asDouble: 'NaN' }, { asDouble: 1 }] } }];
    const answered = await call(
      { port },
      {
        path: '/v1/metrics',
        headers: JSON_TYPE,
        body: JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }),
      },
    );
    expect([answered.status, answered.body]).toEqual([
      200,
      {
        partialSuccess: {
          rejectedDataPoints: '1',
          errorMessage: 'a data point of a has no value to take, or no time',
        },
      },
    ]);
    await waitFor(() => valueOf('a') === 1);
  });

  test('when another address of this machine is tried, nobody listens there', async () => {
    const port = await startOtlp();
    const tried = new Promise((resolve, reject) => {
      // 127.0.0.2 is this machine as well, but not where it listens.
      request({ host: '127.0.0.2', port, path: '/v1/metrics' }, resolve).on('error', reject).end();
    });
    await expect(tried).rejects.toThrow(/ECONNREFUSED/);
  });

  test('when the ports are taken, it says so, the rest of it runs, and it listens once they are free', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    const udp = createSocket('udp4').bind(0, '127.0.0.1');
    await Promise.all([once(blocker, 'listening'), once(udp, 'listening')]);
    const flags = ['--otlp.enabled=true', `--otlp.port=${(blocker.address() as AddressInfo).port}`];
    const child = start(
      ...flags,
      '--statsd.enabled=true',
      `--statsd.port=${udp.address().port}`,
      '--series.cpu.intervalMs=50',
    );
    await child.output(/port-taken.*otlp\.port/);
    await child.output(/port-taken.*statsd\.port/);
    await waitFor(() => store.samples.length > 0);
    blocker.close();
    udp.close();
    await child.output(/may send metrics/);
    await child.output(/may send StatsD/);
    expect(child.stdout().match(/port-taken/g)?.length).toBe(2);
  });
});

describe('StatsD', () => {
  async function startStatsd(): Promise<number> {
    const [, port] = await start('--statsd.enabled=true', '--statsd.port=0', '--statsd.flushMs=50').output(
      /"port":(\d+)/,
    );
    return Number(port);
  }

  test('when a StatsD client sends to it, counters, gauges, timers and sets arrive', async () => {
    const client = new StatsD({ host: '127.0.0.1', port: await startStatsd() });
    client.increment('page.views', 2, ['page:home']);
    client.gauge('queue', 7);
    client.timing('render', 12);
    client.unique('users', 'anna');
    const wanted = { 'page.views:page:home': 2, queue: 7, render: 12, users: 1 };
    await waitFor(() => Object.keys(wanted).every((series) => valueOf(series) !== undefined), {
      what: 'every kind',
    });
    expect(Object.fromEntries(Object.keys(wanted).map((series) => [series, valueOf(series)]))).toEqual(
      wanted,
    );
    expect(store.samples.find(({ series }) => series === 'render')).toMatchObject({ count: 1, unit: 'ms' });
    client.close();
  });

  test('when nonsense comes, it is said how much, and the rest is taken; what waits is not lost at the end', async () => {
    const port = await startStatsd();
    const socket = createSocket('udp4');
    const send = (text: string) =>
      new Promise<void>((resolve, reject) =>
        socket.send(text, port, '127.0.0.1', (error) => (error === null ? resolve() : reject(error))),
      );
    await send('nonsense\na:1|c');
    await waitFor(() => valueOf('a') === 1);
    await collector?.output(/"lines":1/);
    await send('x y:1|c');
    await send('x_y:1|c');
    await collector?.output(/x y\\" and \\"x_y\\" are both series x_y/);
    await send('b:1|c');
    await send('c:1|c');
    await waitFor(() => valueOf('c') === 1 || valueOf('b') === 1);
    await collector?.kill('SIGTERM');
    expect([valueOf('b'), valueOf('c')]).toEqual([1, 1]);
    socket.close();
  });
});

test('when nothing is switched on, no port is open', async () => {
  const child = start(`--ingest.socket=${join(folder, 'in/s')}`);
  await child.output(/may hand in samples/);
  expect(child.stdout()).not.toMatch(/OTLP|StatsD/);
});
