import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import type { Reading } from '../core/sample.ts';
import { seriesName } from '../core/series-name.ts';
import { systemReaders, systemSources, type SeriesGroup } from './system-sources.ts';

const GROUPS: SeriesGroup[] = ['cpu', 'load', 'memory', 'filesystem', 'temperature', 'network', 'uptime'];
const series = Object.fromEntries(GROUPS.map((name) => [name, { intervalMs: 1000 }])) as Record<
  SeriesGroup,
  { intervalMs: number }
>;

/** A folder with the given files in it. */
function tree(files: Record<string, string>): string {
  const root = temporaryFolder();
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}
const valuesOf = (readings: readonly Reading[]) =>
  Object.fromEntries(
    readings.map((reading) => [seriesName(reading.metric, reading.attributes), reading.value]),
  );

async function readAll(options: { procDir?: string; sysDir?: string } = {}) {
  const sources = systemSources(
    await systemReaders({ procDir: '/proc', sysDir: '/sys', ...options }),
    series,
  );
  const readings = await Promise.all(sources.map(({ read }) => read()));
  return Object.fromEntries(sources.map(({ name }, index) => [name, valuesOf(readings[index] ?? [])]));
}

describe('systemSources', () => {
  test('when this machine is read, its figures are plausible', async () => {
    const { load, memory, filesystem, uptime } = await readAll();
    expect(memory?.['system.memory.limit']).toBe(totalmem());
    expect(memory?.['system.memory.usage']).toBeGreaterThan(10_000_000);
    expect(memory?.['system.memory.usage']).toBeLessThan(totalmem());
    expect(filesystem?.['system.filesystem.usage:/']).toBeGreaterThan(1_000_000);
    expect(filesystem?.['system.filesystem.utilization:/']).toBeLessThanOrEqual(1);
    expect(load?.['system.cpu.load_average.1m']).toBeGreaterThanOrEqual(0);
    expect(uptime?.['system.uptime']).toBeGreaterThan(1);
  });

  test('when a CPU was kept busy between two readings, the utilisation shows it', async () => {
    const sources = systemSources(await systemReaders({ procDir: '/proc', sysDir: '/sys' }), series);
    const cpu = sources.find(({ name }) => name === 'cpu');
    const end = performance.now() + 300;
    while (performance.now() < end);
    const [reading] = (await cpu?.read()) ?? [];
    // One CPU of all was ours for most of the time, unless the machine ran others instead: busy all the same.
    expect(reading?.value).toBeGreaterThan(0.3 / availableParallelism());
    expect(reading?.value).toBeLessThanOrEqual(1);
  });

  test('when there are sensors, each is a series, the copies of thermal zones among the chips left out', async () => {
    const sysDir = tree({
      'class/thermal/thermal_zone0/type': 'cpu-thermal\n',
      'class/thermal/thermal_zone0/temp': '48250\n',
      'class/thermal/cooling_device0/type': 'fan\n',
      'class/hwmon/hwmon0/name': 'cpu_thermal\n',
      'class/hwmon/hwmon0/temp1_input': '48250\n',
      'class/hwmon/hwmon1/name': 'nvme\n',
      'class/hwmon/hwmon1/temp1_input': '35850\n',
      'class/hwmon/hwmon1/temp1_label': 'Composite\n',
      'class/hwmon/hwmon1/temp2_input': 'broken\n',
      'class/hwmon/hwmon2/name': 'rtc\n',
    });
    const { temperature } = await readAll({ sysDir });
    expect(temperature).toEqual({
      'hw.temperature:cpu-thermal': 48.25,
      'hw.temperature:nvme:Composite': 35.85,
    });
  });

  test('when there are no sensors at all, there is no series', async () => {
    expect((await readAll({ sysDir: temporaryFolder() }))['temperature']).toEqual({});
  });

  test('when an interval is 0, its group is not read', async () => {
    const readers = await systemReaders({ procDir: '/proc', sysDir: '/sys' });
    const sources = systemSources(readers, { ...series, network: { intervalMs: 0 } });
    expect(sources.map(({ name }) => name)).toEqual(GROUPS.filter((name) => name !== 'network'));
  });
});
