import { describe, expect, test } from 'vitest';
import {
  parseCpuTimes,
  parseDisks,
  parseInterfaces,
  parseLoad,
  parseMemory,
  parseMounts,
  parsePaging,
  parseSwap,
  parseUptime,
} from './parse-proc.ts';

describe('parsing /proc', () => {
  test('when stat is read, time waiting for I/O idles and guests are not counted twice', () => {
    const stat = 'cpu  100 20 30 400 50 6 7 8 90 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n';
    expect(parseCpuTimes(stat)).toEqual({ busy: 171, total: 621 });
  });

  test('when a kernel has fewer columns, they count as nothing', () => {
    expect(parseCpuTimes('cpu  1 2 3 4\n')).toEqual({ busy: 6, total: 10 });
  });

  test('when meminfo is read, kibibytes become bytes', () => {
    const meminfo = 'MemTotal:        1000 kB\nMemFree:          100 kB\nMemAvailable:     400 kB\n';
    expect(parseMemory(meminfo)).toEqual({ total: 1_024_000, available: 409_600 });
  });

  test('when loadavg and uptime are read, they give their numbers', () => {
    expect(parseLoad('0.52 0.58 0.59 1/389 2612\n')).toEqual([0.52, 0.58, 0.59]);
    expect(parseUptime('350735.47 234388.90\n')).toBe(350_735.47);
  });

  test('when net/dev is read, received is the first column and transmitted the ninth, also without a blank', () => {
    const netDev = [
      'Inter-|   Receive                            |  Transmit',
      ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
      '  eth0: 450338937   12349    0    0    0     0          0         0   896924    7880    0    0    0     0       0          0',
      'wlan0:5 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0',
      '',
    ].join('\n');
    expect(parseInterfaces(netDev)).toMatchObject([
      {
        name: 'eth0',
        receive: { bytes: 450_338_937 },
        transmit: { bytes: 896_924 },
      },
      { name: 'wlan0', receive: { bytes: 5 }, transmit: { bytes: 7 } },
    ]);
  });

  test('when swap and paging are read, absent ones are none', () => {
    expect(parseSwap('SwapTotal:  10 kB\nSwapFree:  4 kB\n')).toEqual({ total: 10_240, free: 4096 });
    expect(parseSwap('SwapTotal:  0 kB\nSwapFree:  0 kB\n')).toBeUndefined();
    expect(parsePaging('pgpgin 1\npswpin 5\npswpout 7\n')).toEqual({ in: 5, out: 7 });
    expect(parsePaging('pgpgin 1\n')).toBeUndefined();
  });

  test('when diskstats are read, sectors become bytes and milliseconds seconds, on old kernels, too', () => {
    const diskstats = '   8       0 sda 10 1 20 2 30 3 40 4 0 5000 6\n   8 1 sda1 broken\n';
    expect(parseDisks(diskstats)).toEqual([
      { name: 'sda', reads: 10, readBytes: 10_240, writes: 30, writtenBytes: 20_480, busySeconds: 5 },
    ]);
  });

  test('when a mount point holds a blank, it is read as one', () => {
    expect(parseMounts('/dev/sda1 /mnt/my\\040disk ext4 rw 0 0\n')).toEqual([
      { device: '/dev/sda1', point: '/mnt/my disk', type: 'ext4' },
    ]);
  });

  test.each([
    ['parseCpuTimes', parseCpuTimes],
    ['parseMemory', parseMemory],
    ['parseLoad', parseLoad],
    ['parseUptime', parseUptime],
  ])('when %s finds nothing that it knows, it gives nothing instead of zeros', (_, parse) => {
    expect(['', 'strange\n', 'cpu a b c d\n'].map((text) => parse(text))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
