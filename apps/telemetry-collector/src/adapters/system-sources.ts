import { readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import {
  parseCpuTimes,
  parseInterfaces,
  parseLoad,
  parseMemory,
  parseMounts,
  parseUptime,
} from '../core/parse-proc.ts';
import type { CpuTimes } from '../core/parse-proc.ts';
import {
  cpuReadings,
  filesystemReadings,
  loadReadings,
  memoryReadings,
  networkReadings,
  temperatureReadings,
  uptimeReadings,
  watchedMounts,
} from '../core/readings.ts';
import type { Source } from '../core/collector.ts';
import type { Reading } from '../core/sample.ts';
import { readSensors } from './temperature-sensors.ts';

export interface MachineFolders {
  procDir: string;
  sysDir: string;
}

export type SeriesGroup = 'cpu' | 'load' | 'memory' | 'filesystem' | 'temperature' | 'network' | 'uptime';
export type SystemReaders = Readonly<Record<SeriesGroup, () => Promise<Reading[]>>>;

/** CPU time needs two readings; the second comes this soon, so that the first sample does. */
const FIRST_CPU_MS = 500;

/** The machine's own figures, straight from the kernel: no child process is ever started (README, "Why not a library"). */
export async function systemReaders({ procDir, sysDir }: MachineFolders): Promise<SystemReaders> {
  const proc = (name: string) => readFile(join(procDir, name), 'utf8');
  return {
    cpu: await cpuReader(() => proc('stat')),
    load: async () => present(parseLoad(await proc('loadavg')), loadReadings),
    memory: async () => present(parseMemory(await proc('meminfo')), memoryReadings),
    filesystem: async () => readFilesystems(await proc('self/mounts')),
    temperature: async () => temperatureReadings(await readSensors(sysDir)),
    network: async () => networkReadings(parseInterfaces(await proc('net/dev'))),
    uptime: async () => present(parseUptime(await proc('uptime')), uptimeReadings),
  };
}

/** Those that are switched on, each at its interval. */
export function systemSources(
  readers: SystemReaders,
  series: Readonly<Record<SeriesGroup, { intervalMs: number }>>,
): Source[] {
  return (Object.keys(readers) as SeriesGroup[])
    .map((name) => {
      const { intervalMs } = series[name];
      const firstAfterMs = name === 'cpu' ? Math.min(FIRST_CPU_MS, intervalMs) : 0;
      return { name, intervalMs, firstAfterMs, read: readers[name] };
    })
    .filter(({ intervalMs }) => intervalMs > 0);
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
        const { bsize, blocks, bfree, bavail } = await statfs(point);
        return filesystemReadings(point, { blockBytes: bsize, blocks, free: bfree, available: bavail });
      } catch {
        // Unmounted since, or not ours to look at: no series.
        return [];
      }
    }),
  );
  return readings.flat();
}
