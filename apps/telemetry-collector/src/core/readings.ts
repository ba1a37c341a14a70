import type {
  CpuTimes,
  DirectionCounters,
  DiskCounters,
  InterfaceCounters,
  Memory,
  Mount,
  Paging,
  Swap,
} from './parse-proc.ts';
import type { Reading } from './sample.ts';

/** A machine with more of one kind has its first ones reported: each bound is a number (invariant 5). */
const MOST_OF_A_KIND = 32;

/** Share of all CPUs' time that was not idle between two readings, 0 to 1. None if no time passed. */
export function cpuReadings(before: CpuTimes, after: CpuTimes): Reading[] {
  const total = after.total - before.total;
  const busy = after.busy - before.busy;
  if (total <= 0) return [];
  // Counters of a CPU that went offline run backwards.
  return [{ metric: 'system.cpu.utilization', value: round(clamp(busy / total)), unit: '1' }];
}

/** The names of the OpenTelemetry Collector's host metrics; the conventions themselves have none for load. */
export function loadReadings([one, five, fifteen]: readonly [number, number, number]): Reading[] {
  const reading = (span: string, value: number): Reading => ({
    metric: `system.cpu.load_average.${span}`,
    value,
    unit: '{thread}',
  });
  return [reading('1m', one), reading('5m', five), reading('15m', fifteen)];
}

/** `usage` and `utilization` are those of the state `used`: total less available. */
export function memoryReadings({ total, available }: Memory): Reading[] {
  const used = Math.max(0, total - available);
  return [
    { metric: 'system.memory.usage', value: used, unit: 'By' },
    { metric: 'system.memory.utilization', value: round(used / total), unit: '1' },
    { metric: 'system.memory.limit', value: total, unit: 'By' },
  ];
}

/** The boot's id is a text: it changes with every boot and only then. */
export function uptimeReadings(seconds: number, bootId: string | undefined): Reading[] {
  return [
    { metric: 'system.uptime', value: seconds, unit: 's' },
    ...(bootId === undefined ? [] : [{ metric: 'bowline.boot.id', value: bootId }]),
  ];
}

/** None if there is no swap. */
export function pagingReadings({ total, free }: Swap, paging: Paging | undefined): Reading[] {
  const used = Math.max(0, total - free);
  return [
    { metric: 'system.paging.usage', value: used, unit: 'By' },
    { metric: 'system.paging.utilization', value: round(used / total), unit: '1' },
    ...(paging === undefined
      ? []
      : (['in', 'out'] as const).map((direction): Reading => ({
          metric: 'system.paging.operations',
          attributes: [direction],
          value: paging[direction],
          unit: '{operation}',
        }))),
  ];
}

/** Counters since boot, of whole disks that were ever used; of what is in memory or a file on another disk none. */
export function diskReadings(disks: readonly DiskCounters[], whole: readonly string[]): Reading[] {
  return disks
    .filter(({ name, reads, writes }) => whole.includes(name) && reads + writes > 0)
    .filter(({ name }) => !/^(loop|ram|zram|sr|fd)\d/.test(name))
    .slice(0, MOST_OF_A_KIND)
    .flatMap(({ name, reads, readBytes, writes, writtenBytes, busySeconds }): Reading[] => [
      { metric: 'system.disk.io', attributes: [name, 'read'], value: readBytes, unit: 'By' },
      { metric: 'system.disk.io', attributes: [name, 'write'], value: writtenBytes, unit: 'By' },
      { metric: 'system.disk.operations', attributes: [name, 'read'], value: reads, unit: '{operation}' },
      { metric: 'system.disk.operations', attributes: [name, 'write'], value: writes, unit: '{operation}' },
      { metric: 'system.disk.io_time', attributes: [name], value: busySeconds, unit: 's' },
    ]);
}

/** Counters since boot. Left out: loopback, the ends of containers' links, and what never carried a byte. */
export function networkReadings(interfaces: readonly InterfaceCounters[]): Reading[] {
  return interfaces
    .filter(({ name, receive, transmit }) => !/^(lo$|veth)/.test(name) && receive.bytes + transmit.bytes > 0)
    .slice(0, MOST_OF_A_KIND)
    .flatMap(({ name, receive, transmit }) => [
      ...directionReadings(name, 'receive', receive),
      ...directionReadings(name, 'transmit', transmit),
    ]);
}

function directionReadings(
  name: string,
  direction: 'receive' | 'transmit',
  { bytes, errors, dropped }: DirectionCounters,
): Reading[] {
  const attributes = [name, direction];
  return [
    { metric: 'system.network.io', attributes, value: bytes, unit: 'By' },
    { metric: 'system.network.errors', attributes, value: errors, unit: '{error}' },
    { metric: 'system.network.packet.dropped', attributes, value: dropped, unit: '{packet}' },
  ];
}

const ON_DISK = new Set([
  'ext2',
  'ext3',
  'ext4',
  'xfs',
  'btrfs',
  'f2fs',
  'vfat',
  'exfat',
  'ntfs3',
  'zfs',
  'jffs2',
  'ubifs',
]);

/** The file systems worth watching: `/` whatever it is, and every local one on a disk or flash, each device once. */
export function watchedMounts(mounts: readonly Mount[]): Mount[] {
  const seen = new Set<string>();
  return mounts
    .filter(({ point, type }) => point === '/' || ON_DISK.has(type))
    .filter(({ device, point }) => {
      const known = seen.has(device) || seen.has(point);
      seen.add(device).add(point);
      return !known;
    })
    .slice(0, MOST_OF_A_KIND);
}

/** As statfs(2) tells it, in blocks of `blockBytes`. */
export interface FilesystemSize {
  blockBytes: number;
  blocks: number;
  free: number;
  /** Free to users other than root. */
  available: number;
  /** 0 where the file system has no fixed number of them. */
  inodes: number;
  freeInodes: number;
}

/** `usage` is that of the state `used`; `utilization` counts what root keeps for itself as gone, as df does. */
export function filesystemReadings(
  point: string,
  { blockBytes, blocks, free, available, inodes, freeInodes }: FilesystemSize,
): Reading[] {
  if (blocks <= 0) return [];
  const used = blocks - free;
  const attributes = [point];
  return [
    { metric: 'system.filesystem.usage', attributes, value: used * blockBytes, unit: 'By' },
    {
      metric: 'system.filesystem.utilization',
      attributes,
      value: round(used / (used + available)),
      unit: '1',
    },
    { metric: 'system.filesystem.limit', attributes, value: blocks * blockBytes, unit: 'By' },
    ...(inodes <= 0
      ? []
      : [
          {
            metric: 'system.filesystem.inodes.usage',
            attributes,
            value: inodes - freeInodes,
            unit: '{inode}',
          },
          { metric: 'system.filesystem.inodes.limit', attributes, value: inodes, unit: '{inode}' },
        ]),
  ];
}

/** A temperature as sysfs has it. */
export interface Sensor {
  /** What it measures: a thermal zone's type; a chip and its label. */
  id: string;
  /** Tells apart what has the same id: the number of the zone or chip. */
  index: string;
  milliCelsius: number;
}

/** Sensors that are not there or not working tell the strangest values. */
const PLAUSIBLE_MILLI_CELSIUS = { from: -100_000, to: 250_000 };

export function temperatureReadings(sensors: readonly Sensor[]): Reading[] {
  const { from, to } = PLAUSIBLE_MILLI_CELSIUS;
  return sensors
    .filter(({ milliCelsius }) => milliCelsius > from && milliCelsius < to)
    .slice(0, MOST_OF_A_KIND)
    .map(({ id, index, milliCelsius }): Reading => {
      const unique = sensors.filter((other) => other.id === id).length === 1;
      return {
        metric: 'hw.temperature',
        attributes: unique ? [id] : [id, index],
        value: milliCelsius / 1000,
        unit: 'Cel',
      };
    });
}

/** Shares are kept to a hundredth of a percent: more is noise, and costs bytes. */
const round = (share: number): number => Math.round(share * 10_000) / 10_000;
const clamp = (share: number): number => Math.min(1, Math.max(0, share));
