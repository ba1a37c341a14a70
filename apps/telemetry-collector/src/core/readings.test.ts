import { describe, expect, test } from 'vitest';
import {
  cpuReadings,
  filesystemReadings,
  memoryReadings,
  networkReadings,
  pagingReadings,
  temperatureReadings,
  watchedMounts,
} from './readings.ts';

describe('readings', () => {
  test('when half of the time was busy, the utilisation is one half', () => {
    expect(cpuReadings({ busy: 100, total: 1000 }, { busy: 150, total: 1100 })).toEqual([
      { metric: 'system.cpu.utilization', value: 0.5, unit: '1' },
    ]);
  });

  test('when no time passed, there is no utilisation', () => {
    expect(cpuReadings({ busy: 1, total: 10 }, { busy: 1, total: 10 })).toEqual([]);
  });

  test('when a CPU went offline and its busy time with it, the utilisation stays between 0 and 1', () => {
    expect(cpuReadings({ busy: 100, total: 1000 }, { busy: 50, total: 1100 })[0]?.value).toBe(0);
  });

  test('when memory is read, used is total less available', () => {
    expect(
      memoryReadings({ total: 1000, available: 250 }).map(({ metric, value }) => [metric, value]),
    ).toEqual([
      ['system.memory.usage', 750],
      ['system.memory.utilization', 0.75],
      ['system.memory.limit', 1000],
    ]);
  });

  test('when interfaces are read, loopback, container links and idle ones are left out', () => {
    const counters = (bytes: number) => ({ bytes, packets: bytes, errors: 3, dropped: 4 });
    const idle = { receive: counters(0), transmit: counters(0) };
    const busy = { receive: counters(1), transmit: counters(2) };
    const interfaces = [
      { name: 'lo', ...busy },
      { name: 'veth12', ...busy },
      { name: 'ifb0', ...idle },
      { name: 'eth0', ...busy },
    ];
    const of = (metric: string, direction: string, value: number, unit: string) => ({
      metric,
      attributes: ['eth0', direction],
      value,
      unit,
    });
    expect(networkReadings(interfaces)).toEqual([
      of('system.network.io', 'receive', 1, 'By'),
      of('system.network.errors', 'receive', 3, '{error}'),
      of('system.network.packet.dropped', 'receive', 4, '{packet}'),
      of('system.network.io', 'transmit', 2, 'By'),
      of('system.network.errors', 'transmit', 3, '{error}'),
      of('system.network.packet.dropped', 'transmit', 4, '{packet}'),
    ]);
  });

  test('when there is swap, what is used of it is told, and what went in and out where the kernel says', () => {
    expect(
      pagingReadings({ total: 1000, free: 750 }, { in: 5, out: 7 }).map(
        ({ metric, attributes = [], value }) => [metric, ...attributes, value],
      ),
    ).toEqual([
      ['system.paging.usage', 250],
      ['system.paging.utilization', 0.25],
      ['system.paging.operations', 'in', 5],
      ['system.paging.operations', 'out', 7],
    ]);
    expect(pagingReadings({ total: 1000, free: 750 }, undefined)).toHaveLength(2);
  });

  test('when a file system has blocks kept for root, they are not there for the utilisation', () => {
    const readings = filesystemReadings('/', {
      blockBytes: 4096,
      blocks: 100,
      free: 60,
      available: 40,
      inodes: 50,
      freeInodes: 20,
    });
    expect(readings.map(({ metric, value }) => [metric, value])).toEqual([
      ['system.filesystem.usage', 40 * 4096],
      ['system.filesystem.utilization', 0.5],
      ['system.filesystem.limit', 100 * 4096],
      ['system.filesystem.inodes.usage', 30],
      ['system.filesystem.inodes.limit', 50],
    ]);
  });

  test('when mounts are chosen, the root and disks are watched, each device once, memory and pseudo ones never', () => {
    const mount = (device: string, point: string, type: string) => ({ device, point, type });
    const chosen = watchedMounts([
      mount('proc', '/proc', 'proc'),
      mount('overlay', '/', 'overlay'),
      mount('tmpfs', '/run', 'tmpfs'),
      mount('/dev/mmcblk0p2', '/data', 'ext4'),
      mount('/dev/mmcblk0p2', '/var/lib/bind', 'ext4'),
      mount('server:/export', '/mnt/nfs', 'nfs4'),
      mount('/dev/mmcblk0p1', '/boot', 'vfat'),
    ]);
    expect(chosen.map(({ point }) => point)).toEqual(['/', '/data', '/boot']);
  });

  test('when two sensors have one name, their numbers tell them apart', () => {
    const sensor = (id: string, index: string) => ({ id, index, milliCelsius: 41_500 });
    const readings = temperatureReadings([
      sensor('cpu-thermal', '0'),
      sensor('nvme', '1'),
      sensor('nvme', '2'),
    ]);
    expect(readings.map(({ attributes }) => attributes)).toEqual([
      ['cpu-thermal'],
      ['nvme', '1'],
      ['nvme', '2'],
    ]);
    expect(readings[0]).toMatchObject({ metric: 'hw.temperature', value: 41.5, unit: 'Cel' });
  });

  test('when a sensor tells what cannot be, it has no series', () => {
    const readings = temperatureReadings([
      { id: 'absent', index: '0', milliCelsius: -273_200 },
      { id: 'frost', index: '1', milliCelsius: -40_000 },
    ]);
    expect(readings.map(({ value }) => value)).toEqual([-40]);
  });
});
