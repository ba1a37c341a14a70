import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import type { Reading } from '../core/sample.ts';
import { seriesName } from '../core/series-name.ts';
import { systemReaders } from './system-sources.ts';

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
  const readers = await systemReaders({ procDir: '/proc', sysDir: '/sys', ...options });
  const groups = await Promise.all(
    Object.entries(readers).map(async ([name, read]) => [name, valuesOf(await read())] as const),
  );
  return Object.fromEntries(groups);
}

describe('systemReaders', () => {
  test('when this machine is read, its figures are plausible', async () => {
    const { load, memory, filesystem, uptime, network } = await readAll();
    expect(memory?.['system.memory.limit']).toBe(totalmem());
    expect(memory?.['system.memory.usage']).toBeGreaterThan(10_000_000);
    expect(memory?.['system.memory.usage']).toBeLessThan(totalmem());
    expect(filesystem?.['system.filesystem.usage:/']).toBeGreaterThan(1_000_000);
    expect(filesystem?.['system.filesystem.utilization:/']).toBeLessThanOrEqual(1);
    expect(load?.['system.cpu.load_average.1m']).toBeGreaterThanOrEqual(0);
    expect(uptime?.['system.uptime']).toBeGreaterThan(1);
    expect(uptime?.['bowline.boot.id']).toMatch(/^[0-9a-f-]{36}$/);
    for (const [series, value] of Object.entries(network ?? {}))
      expect([series, Number(value) >= 0]).toEqual([series, true]);
  });

  test('when a CPU was kept busy between two readings, the utilisation shows it', async () => {
    const { cpu } = await systemReaders({ procDir: '/proc', sysDir: '/sys' });
    const end = performance.now() + 300;
    while (performance.now() < end);
    const [reading] = await cpu();
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

  test('when there are batteries, supplies, clocks and what holds them back, each is a series', async () => {
    const sysDir = tree({
      'class/power_supply/BAT0/capacity': '87\n',
      'class/power_supply/BAT0/status': 'Discharging\n',
      'class/power_supply/BAT0/voltage_now': '12345000\n',
      'class/power_supply/BAT0/power_now': '7500000\n',
      'class/power_supply/AC/online': '0\n',
      'devices/system/cpu/cpufreq/policy0/scaling_cur_freq': '1500000\n',
      'devices/system/cpu/cpu0/thermal_throttle/core_throttle_count': '3\n',
      'devices/system/cpu/cpu1/thermal_throttle/core_throttle_count': '4\n',
      'devices/platform/soc/soc:firmware/get_throttled': '50005\n',
      'class/hwmon/hwmon0/name': 'rpi_volt\n',
      'class/hwmon/hwmon0/in0_lcrit_alarm': '1\n',
    });
    expect((await readAll({ sysDir }))['power']).toEqual({
      'hw.battery.charge:BAT0': 0.87,
      'hw.voltage:BAT0': 12.345,
      'hw.power:BAT0': 7.5,
      'bowline.power.status:BAT0': 'Discharging',
      'bowline.power.online:AC': 0,
      'system.cpu.frequency:0': 1_500_000_000,
      'bowline.cpu.throttles': 7,
      'bowline.cpu.throttled': 1,
      'bowline.power.undervoltage': 1,
      'bowline.power.undervoltage:rpi_volt': 1,
    });
  });

  test('when there is nothing of power, and no swap, there is no series, never 0', async () => {
    const bare = {
      sysDir: temporaryFolder(),
      procDir: tree({ stat: 'cpu 1 2 3 4', meminfo: 'SwapTotal: 0 kB' }),
    };
    const readers = await systemReaders(bare);
    expect([await readers.power(), await readers.paging()]).toEqual([[], []]);
  });

  test('when disks are read, whole ones are told, not their parts, nor what is in memory', async () => {
    const line = (name: string) => ` 8 0 ${name} 10 0 20 0 30 0 40 0 0 5000 0 0 0 0 0 0`;
    const procDir = tree({
      stat: 'cpu 1 2 3 4',
      diskstats: ['sda', 'sda1', 'loop0', 'zram0'].map(line).join('\n'),
    });
    const sysDir = tree({ 'block/sda/size': '', 'block/loop0/size': '', 'block/zram0/size': '' });
    expect(valuesOf(await (await systemReaders({ procDir, sysDir })).disk())).toEqual({
      'system.disk.io:sda:read': 10_240,
      'system.disk.io:sda:write': 20_480,
      'system.disk.operations:sda:read': 10,
      'system.disk.operations:sda:write': 30,
      'system.disk.io_time:sda': 5,
    });
  });
});
