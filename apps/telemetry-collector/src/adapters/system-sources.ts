import { readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
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
} from '../core/parse-proc.ts';
import type { CpuTimes } from '../core/parse-proc.ts';
import {
  cpuReadings,
  diskReadings,
  filesystemReadings,
  loadReadings,
  memoryReadings,
  networkReadings,
  pagingReadings,
  temperatureReadings,
  uptimeReadings,
  watchedMounts,
} from '../core/readings.ts';
import type { Reading } from '../core/sample.ts';
import type { Readers } from '../core/sources.ts';
import { readPower } from './power-supplies.ts';
import { list } from './sys-files.ts';
import { readSensors } from './temperature-sensors.ts';

export interface MachineFolders {
  procDir: string;
  sysDir: string;
}

export type SeriesGroup =
  | 'cpu'
  | 'load'
  | 'memory'
  | 'paging'
  | 'disk'
  | 'filesystem'
  | 'temperature'
  | 'power'
  | 'network'
  | 'uptime';
export type SystemReaders = Readers<SeriesGroup>;

/** The machine's own figures, straight from the kernel: no child process is ever started (README, "Why not a library"). */
export async function systemReaders({ procDir, sysDir }: MachineFolders): Promise<SystemReaders> {
  const proc = (name: string) => readFile(join(procDir, name), 'utf8');
  return {
    cpu: await cpuReader(() => proc('stat')),
    load: async () => present(parseLoad(await proc('loadavg')), loadReadings),
    memory: async () => present(parseMemory(await proc('meminfo')), memoryReadings),
    paging: async () => {
      const swap = parseSwap(await proc('meminfo'));
      return swap === undefined ? [] : pagingReadings(swap, parsePaging(await proc('vmstat')));
    },
    disk: async () => diskReadings(parseDisks(await proc('diskstats')), await list(join(sysDir, 'block'))),
    filesystem: async () => readFilesystems(await proc('self/mounts')),
    temperature: async () => temperatureReadings(await readSensors(sysDir)),
    power: () => readPower(sysDir),
    network: async () => networkReadings(parseInterfaces(await proc('net/dev'))),
    uptime: async () => {
      const bootId = (await proc('sys/kernel/random/boot_id')).trim();
      return present(parseUptime(await proc('uptime')), (seconds) => uptimeReadings(seconds, bootId));
    },
  };
}

/** What the kernel did not tell is no series, never 0. */
const present = <T>(value: T | undefined, toReadings: (value: T) => Reading[]): Reading[] =>
  value === undefined ? [] : toReadings(value);

/** Each reading covers the time since the one before. */
async function cpuReader(readStat: () => Promise<string>): Promise<() => Promise<Reading[]>> {
  let before: CpuTimes | undefined = parseCpuTimes(await readStat());
  return async () => {
    const after = parseCpuTimes(await readStat());
    const readings = before === undefined || after === undefined ? [] : cpuReadings(before, after);
    before = after;
    return readings;
  };
}

async function readFilesystems(mounts: string): Promise<Reading[]> {
  const readings = await Promise.all(
    watchedMounts(parseMounts(mounts)).map(async ({ point }) => {
      try {
        const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(point);
        return filesystemReadings(point, {
          blockBytes: bsize,
          blocks,
          free: bfree,
          available: bavail,
          inodes: files,
          freeInodes: ffree,
        });
      } catch {
        // Unmounted since, or not ours to look at: no series.
        return [];
      }
    }),
  );
  return readings.flat();
}
